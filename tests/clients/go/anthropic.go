package main

import (
	"context"
	"errors"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
)

func anthropicClient(key string) anthropic.Client {
	return anthropic.NewClient(option.WithBaseURL(gateway), option.WithAPIKey(key), option.WithMaxRetries(0))
}

func anthropicStatus(err error) int {
	var refused *anthropic.Error
	if errors.As(err, &refused) {
		return refused.StatusCode
	}
	return 0
}

func anthropicMessages() []step {
	ctx, client := context.Background(), anthropicClient(token)
	asked := func(model string) anthropic.MessageNewParams {
		return anthropic.MessageNewParams{
			Model:     anthropic.Model(model),
			MaxTokens: 500,
			Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(words))},
		}
	}
	understood := func(message *anthropic.Message) (*said, error) {
		seen := &said{Input: message.Usage.InputTokens, Output: message.Usage.OutputTokens}
		for _, block := range message.Content {
			switch block := block.AsAny().(type) {
			case anthropic.TextBlock:
				seen.Text += block.Text
			case anthropic.ToolUseBlock:
				given, err := arguments(string(block.Input))
				if err != nil {
					return nil, err
				}
				seen.Calls = append(seen.Calls, call{block.Name, given})
			}
		}
		return seen, nil
	}
	whole := func(params anthropic.MessageNewParams) (*anthropic.Message, error) {
		return client.Messages.New(ctx, params)
	}
	streamed := func(params anthropic.MessageNewParams) (*anthropic.Message, error) {
		stream := client.Messages.NewStreaming(ctx, params)
		message := &anthropic.Message{}
		for stream.Next() {
			if err := message.Accumulate(stream.Current()); err != nil {
				return nil, err
			}
		}
		return message, stream.Err()
	}
	type way func(anthropic.MessageNewParams) (*anthropic.Message, error)
	chat := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			message, err := ask(asked(model))
			if err != nil {
				return nil, err
			}
			return understood(message)
		}
	}
	tools := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			params := asked(model)
			params.Tools = []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{
				Properties: place["properties"], Required: []string{"city", "degrees"},
			}, "weather")}
			params.ToolChoice.OfAny = &anthropic.ToolChoiceAnyParam{}
			first, err := ask(params)
			if err != nil {
				return nil, err
			}
			seen, err := understood(first)
			if err != nil {
				return nil, err
			}
			results := []anthropic.ContentBlockParamUnion{}
			for _, block := range first.Content {
				if use, is := block.AsAny().(anthropic.ToolUseBlock); is {
					results = append(results, anthropic.NewToolResultBlock(use.ID, "sunny", false))
				}
			}
			params.Messages = append(params.Messages, first.ToParam(), anthropic.NewUserMessage(results...))
			params.ToolChoice = anthropic.ToolChoiceUnionParam{}
			last, err := ask(params)
			if err != nil {
				return nil, err
			}
			answer, err := understood(last)
			if err != nil {
				return nil, err
			}
			seen.Text = answer.Text
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
			params.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: place}
			message, err := whole(params)
			if err != nil {
				return nil, err
			}
			answer, err := understood(message)
			if err != nil {
				return nil, err
			}
			return arguments(answer.Text)
		}},
		{"count", func(model string) (any, error) {
			counted, err := client.Messages.CountTokens(ctx, anthropic.MessageCountTokensParams{
				Model: anthropic.Model(model), Messages: asked(model).Messages,
			})
			if err != nil {
				return nil, err
			}
			return counted.InputTokens, nil
		}},
		{"models", func(model string) (any, error) {
			names := []string{}
			pages := client.Models.ListAutoPaging(ctx, anthropic.ModelListParams{})
			for pages.Next() {
				names = append(names, pages.Current().ID)
			}
			retrieved, err := client.Models.Get(ctx, model, anthropic.ModelGetParams{})
			if err != nil {
				return nil, err
			}
			return map[string]any{"names": names, "retrieved": retrieved.ID}, pages.Err()
		}},
		{"errors", func(model string) (any, error) {
			wrong := anthropicClient("sk-wrong")
			_, key := wrong.Messages.New(ctx, asked(model))
			_, unknown := whole(asked("no-such-model"))
			return refusals{anthropicStatus(key), anthropicStatus(unknown)}, nil
		}},
	}
}
