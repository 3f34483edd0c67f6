package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
)

func openaiClient(key string) openai.Client {
	return openai.NewClient(option.WithBaseURL(gateway+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0))
}

func openaiStatus(err error) int {
	var refused *openai.Error
	if errors.As(err, &refused) && refused.Message != "" {
		return refused.StatusCode
	}
	return 0
}

func openaiChat() []step {
	ctx, client := context.Background(), openaiClient(token)
	asked := func(model string) openai.ChatCompletionNewParams {
		return openai.ChatCompletionNewParams{
			Model:    model,
			Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(words)},
		}
	}
	understood := func(answer *openai.ChatCompletion) (*said, error) {
		message := answer.Choices[0].Message
		seen := &said{Text: message.Content, Input: answer.Usage.PromptTokens, Output: answer.Usage.CompletionTokens}
		for _, tool := range message.ToolCalls {
			given, err := arguments(tool.Function.Arguments)
			if err != nil {
				return nil, err
			}
			seen.Calls = append(seen.Calls, call{tool.Function.Name, given})
		}
		return seen, nil
	}
	whole := func(params openai.ChatCompletionNewParams) (*openai.ChatCompletion, error) {
		return client.Chat.Completions.New(ctx, params)
	}
	streamed := func(params openai.ChatCompletionNewParams) (*openai.ChatCompletion, error) {
		params.StreamOptions.IncludeUsage = openai.Bool(true)
		stream := client.Chat.Completions.NewStreaming(ctx, params)
		gathered := openai.ChatCompletionAccumulator{}
		for stream.Next() {
			if !gathered.AddChunk(stream.Current()) {
				return nil, fmt.Errorf("a chunk that does not follow: %s", stream.Current().RawJSON())
			}
		}
		return &gathered.ChatCompletion, stream.Err()
	}
	type way func(openai.ChatCompletionNewParams) (*openai.ChatCompletion, error)
	chat := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			answer, err := ask(asked(model))
			if err != nil {
				return nil, err
			}
			return understood(answer)
		}
	}
	tools := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			params := asked(model)
			params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(
				openai.FunctionDefinitionParam{Name: "weather", Parameters: place, Strict: openai.Bool(true)},
			)}
			params.ToolChoice.OfAuto = openai.String("required")
			first, err := ask(params)
			if err != nil {
				return nil, err
			}
			seen, err := understood(first)
			if err != nil {
				return nil, err
			}
			message := first.Choices[0].Message
			params.Messages = append(params.Messages, message.ToParam())
			for _, tool := range message.ToolCalls {
				params.Messages = append(params.Messages, openai.ToolMessage("sunny", tool.ID))
			}
			params.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{}
			last, err := ask(params)
			if err != nil {
				return nil, err
			}
			seen.Text = last.Choices[0].Message.Content
			return seen, nil
		}
	}
	return []step{
		{"chat", chat(whole)},
		{"stream", chat(streamed)},
		{"tools", tools(whole)},
		{"streamed tools", tools(streamed)},
		{"structured", func(model string) (any, error) {
			params := asked(model)
			params.ResponseFormat.OfJSONSchema = &openai.ResponseFormatJSONSchemaParam{
				JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{
					Name: "place", Schema: place, Strict: openai.Bool(true),
				},
			}
			answer, err := whole(params)
			if err != nil {
				return nil, err
			}
			return arguments(answer.Choices[0].Message.Content)
		}},
		{"models", func(model string) (any, error) {
			names := []string{}
			pages := client.Models.ListAutoPaging(ctx)
			for pages.Next() {
				names = append(names, pages.Current().ID)
			}
			retrieved, err := client.Models.Get(ctx, model)
			if err != nil {
				return nil, err
			}
			return map[string]any{"names": names, "retrieved": retrieved.ID}, pages.Err()
		}},
		{"errors", func(model string) (any, error) {
			wrong := openaiClient("sk-wrong")
			_, key := wrong.Chat.Completions.New(ctx, asked(model))
			_, unknown := whole(asked("no-such-model"))
			return refusals{openaiStatus(key), openaiStatus(unknown)}, nil
		}},
	}
}

func openaiMedia() []step {
	ctx, client := context.Background(), openaiClient(token)
	return []step{
		{"embeddings", func(string) (any, error) {
			answer, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
				Model: "text-embedding-3-small",
				Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
			})
			if err != nil {
				return nil, err
			}
			sizes := []int{}
			for _, vector := range answer.Data {
				sizes = append(sizes, len(vector.Embedding))
			}
			return sizes, nil
		}},
		{"image", func(string) (any, error) {
			answer, err := client.Images.Generate(ctx, openai.ImageGenerateParams{Model: "gpt-image-1", Prompt: "a cat"})
			if err != nil {
				return nil, err
			}
			picture, err := base64.StdEncoding.DecodeString(answer.Data[0].B64JSON)
			return len(picture), err
		}},
	}
}

func openaiResponses() []step {
	ctx, client := context.Background(), openaiClient(token)
	asked := func(model string) responses.ResponseNewParams {
		return responses.ResponseNewParams{
			Model: model,
			Store: openai.Bool(false),
			Input: responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
				responses.ResponseInputItemParamOfMessage(words, responses.EasyInputMessageRoleUser),
			}},
		}
	}
	understood := func(answer *responses.Response) (*said, error) {
		seen := &said{Text: answer.OutputText(), Input: answer.Usage.InputTokens, Output: answer.Usage.OutputTokens}
		for _, item := range answer.Output {
			if item.Type != "function_call" {
				continue
			}
			given, err := arguments(item.AsFunctionCall().Arguments)
			if err != nil {
				return nil, err
			}
			seen.Calls = append(seen.Calls, call{item.Name, given})
		}
		return seen, nil
	}
	whole := func(params responses.ResponseNewParams) (*responses.Response, error) {
		return client.Responses.New(ctx, params)
	}
	streamed := func(params responses.ResponseNewParams) (*responses.Response, error) {
		stream := client.Responses.NewStreaming(ctx, params)
		text, last := "", (*responses.Response)(nil)
		for stream.Next() {
			switch event := stream.Current().AsAny().(type) {
			case responses.ResponseTextDeltaEvent:
				text += event.Delta
			case responses.ResponseCompletedEvent:
				last = &event.Response
			}
		}
		if stream.Err() != nil {
			return nil, stream.Err()
		}
		if last == nil || last.OutputText() != text {
			return nil, fmt.Errorf("the events say %q, the end says %v", text, last)
		}
		return last, nil
	}
	type way func(responses.ResponseNewParams) (*responses.Response, error)
	chat := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			answer, err := ask(asked(model))
			if err != nil {
				return nil, err
			}
			return understood(answer)
		}
	}
	tools := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			params := asked(model)
			params.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", place, true)}
			params.ToolChoice.OfToolChoiceMode = openai.Opt(responses.ToolChoiceOptionsRequired)
			first, err := ask(params)
			if err != nil {
				return nil, err
			}
			seen, err := understood(first)
			if err != nil {
				return nil, err
			}
			history := params.Input.OfInputItemList
			for _, item := range first.Output {
				if item.Type == "function_call" {
					use := item.AsFunctionCall()
					result := responses.ResponseInputItemParamOfFunctionCallOutput("sunny")
					result.OfFunctionCallOutput.CallID = openai.String(use.CallID)
					history = append(
						history,
						responses.ResponseInputItemParamOfFunctionCall(use.Arguments, use.CallID, use.Name),
						result,
					)
				}
			}
			params.Input.OfInputItemList = history
			params.ToolChoice = responses.ResponseNewParamsToolChoiceUnion{}
			last, err := ask(params)
			if err != nil {
				return nil, err
			}
			seen.Text = last.OutputText()
			return seen, nil
		}
	}
	return []step{
		{"chat", chat(whole)},
		{"stream", chat(streamed)},
		{"tools", tools(whole)},
		{"streamed tools", tools(streamed)},
		{"errors", func(model string) (any, error) {
			wrong := openaiClient("sk-wrong")
			_, key := wrong.Responses.New(ctx, asked(model))
			_, unknown := whole(asked("no-such-model"))
			return refusals{openaiStatus(key), openaiStatus(unknown)}, nil
		}},
	}
}
