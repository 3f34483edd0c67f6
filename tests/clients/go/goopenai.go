package main

import (
	"context"
	"encoding/base64"
	"errors"
	"io"

	openai "github.com/sashabaranov/go-openai"
)

func goOpenaiClient(key string) *openai.Client {
	config := openai.DefaultConfig(key)
	config.BaseURL = gateway + "/v1"
	return openai.NewClientWithConfig(config)
}

func goOpenaiStatus(err error) int {
	var refused *openai.APIError
	if errors.As(err, &refused) {
		return refused.HTTPStatusCode
	}
	return 0
}

func goOpenai() []step {
	ctx, client := context.Background(), goOpenaiClient(token)
	asked := func(model string) openai.ChatCompletionRequest {
		return openai.ChatCompletionRequest{
			Model:    model,
			Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: words}},
		}
	}
	type way func(openai.ChatCompletionRequest) (openai.ChatCompletionMessage, openai.Usage, error)
	whole := func(request openai.ChatCompletionRequest) (openai.ChatCompletionMessage, openai.Usage, error) {
		answer, err := client.CreateChatCompletion(ctx, request)
		if err != nil {
			return openai.ChatCompletionMessage{}, openai.Usage{}, err
		}
		return answer.Choices[0].Message, answer.Usage, nil
	}
	streamed := func(request openai.ChatCompletionRequest) (message openai.ChatCompletionMessage, usage openai.Usage, err error) {
		request.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
		stream, err := client.CreateChatCompletionStream(ctx, request)
		if err != nil {
			return message, usage, err
		}
		defer stream.Close()
		message.Role = openai.ChatMessageRoleAssistant
		for {
			chunk, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return message, usage, nil
			}
			if err != nil {
				return message, usage, err
			}
			if chunk.Usage != nil {
				usage = *chunk.Usage
			}
			for _, choice := range chunk.Choices {
				message.Content += choice.Delta.Content
				for _, part := range choice.Delta.ToolCalls {
					for len(message.ToolCalls) <= *part.Index {
						message.ToolCalls = append(message.ToolCalls, openai.ToolCall{Type: openai.ToolTypeFunction})
					}
					whole := &message.ToolCalls[*part.Index]
					whole.ID += part.ID
					whole.Function.Name += part.Function.Name
					whole.Function.Arguments += part.Function.Arguments
				}
			}
		}
	}
	chat := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			message, usage, err := ask(asked(model))
			return said{message.Content, int64(usage.PromptTokens), int64(usage.CompletionTokens), nil}, err
		}
	}
	tools := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			request := asked(model)
			request.Tools = []openai.Tool{{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
				Name: "weather", Parameters: place, Strict: true,
			}}}
			request.ToolChoice = "required"
			message, usage, err := ask(request)
			if err != nil {
				return nil, err
			}
			seen := said{Input: int64(usage.PromptTokens), Output: int64(usage.CompletionTokens)}
			request.Messages = append(request.Messages, message)
			for _, tool := range message.ToolCalls {
				given, err := arguments(tool.Function.Arguments)
				if err != nil {
					return nil, err
				}
				seen.Calls = append(seen.Calls, call{tool.Function.Name, given})
				request.Messages = append(request.Messages, openai.ChatCompletionMessage{
					Role: openai.ChatMessageRoleTool, Content: "sunny", ToolCallID: tool.ID,
				})
			}
			request.ToolChoice = nil
			last, _, err := ask(request)
			seen.Text = last.Content
			return seen, err
		}
	}
	return []step{
		{"chat", chat(whole)},
		{"stream", chat(streamed)},
		{"tools", tools(whole)},
		{"streamed tools", tools(streamed)},
		{"models", func(model string) (any, error) {
			listed, err := client.ListModels(ctx)
			if err != nil {
				return nil, err
			}
			names := []string{}
			for _, entry := range listed.Models {
				names = append(names, entry.ID)
			}
			retrieved, err := client.GetModel(ctx, model)
			return map[string]any{"names": names, "retrieved": retrieved.ID}, err
		}},
		{"errors", func(model string) (any, error) {
			_, key := goOpenaiClient("sk-wrong").CreateChatCompletion(ctx, asked(model))
			_, unknown := client.CreateChatCompletion(ctx, asked("no-such-model"))
			return refusals{goOpenaiStatus(key), goOpenaiStatus(unknown)}, nil
		}},
	}
}

func goOpenaiMedia() []step {
	ctx, client := context.Background(), goOpenaiClient(token)
	return []step{
		{"embeddings", func(string) (any, error) {
			answer, err := client.CreateEmbeddings(ctx, openai.EmbeddingRequest{
				Model: openai.SmallEmbedding3, Input: []string{"one", "two"},
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
			answer, err := client.CreateImage(ctx, openai.ImageRequest{Model: "gpt-image-1", Prompt: "a cat"})
			if err != nil {
				return nil, err
			}
			picture, err := base64.StdEncoding.DecodeString(answer.Data[0].B64JSON)
			return len(picture), err
		}},
	}
}
