package main

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/genai"
)

func geminiClient(key string) (*genai.Client, error) {
	return genai.NewClient(context.Background(), &genai.ClientConfig{
		APIKey: key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: gateway},
	})
}

func geminiStatus(err error) int {
	var refused genai.APIError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return 0
}

func geminiContent() []step {
	ctx := context.Background()
	client, err := geminiClient(token)
	if err != nil {
		panic(err)
	}
	type way func(string, []*genai.Content, *genai.GenerateContentConfig) (*genai.Content, *said, error)
	understand := func(seen *said, answer *genai.GenerateContentResponse) {
		for _, use := range answer.FunctionCalls() {
			seen.Calls = append(seen.Calls, call{use.Name, use.Args})
		}
		seen.Text += answer.Text()
		if usage := answer.UsageMetadata; usage != nil {
			seen.Input = int64(usage.PromptTokenCount)
			seen.Output = int64(usage.CandidatesTokenCount + usage.ThoughtsTokenCount)
		}
	}
	whole := func(
		model string, contents []*genai.Content, config *genai.GenerateContentConfig,
	) (*genai.Content, *said, error) {
		answer, err := client.Models.GenerateContent(ctx, model, contents, config)
		if err != nil {
			return nil, nil, err
		}
		seen := &said{}
		understand(seen, answer)
		return answer.Candidates[0].Content, seen, nil
	}
	streamed := func(
		model string, contents []*genai.Content, config *genai.GenerateContentConfig,
	) (*genai.Content, *said, error) {
		seen, content := &said{}, genai.NewContentFromParts(nil, genai.RoleModel)
		for chunk, err := range client.Models.GenerateContentStream(ctx, model, contents, config) {
			if err != nil {
				return nil, nil, err
			}
			understand(seen, chunk)
			if chunk.Candidates != nil && chunk.Candidates[0].Content != nil {
				content.Parts = append(content.Parts, chunk.Candidates[0].Content.Parts...)
			}
		}
		return content, seen, nil
	}
	chat := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			_, seen, err := ask(model, genai.Text(words), nil)
			return seen, err
		}
	}
	tools := func(ask way) func(string) (any, error) {
		return func(model string) (any, error) {
			declared := []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{
				{Name: "weather", ParametersJsonSchema: place},
			}}}
			must := &genai.ToolConfig{FunctionCallingConfig: &genai.FunctionCallingConfig{
				Mode: genai.FunctionCallingConfigModeAny,
			}}
			contents := genai.Text(words)
			content, seen, err := ask(model, contents, &genai.GenerateContentConfig{Tools: declared, ToolConfig: must})
			if err != nil {
				return nil, err
			}
			results := []*genai.Part{}
			for _, part := range content.Parts {
				if use := part.FunctionCall; use != nil {
					results = append(results, &genai.Part{FunctionResponse: &genai.FunctionResponse{
						ID: use.ID, Name: use.Name, Response: map[string]any{"result": "sunny"},
					}})
				}
			}
			contents = append(contents, content, genai.NewContentFromParts(results, genai.RoleUser))
			_, last, err := ask(model, contents, &genai.GenerateContentConfig{Tools: declared})
			if err != nil {
				return nil, err
			}
			seen.Text = last.Text
			return seen, nil
		}
	}
	return []step{
		{"chat", chat(whole)},
		{"stream", chat(streamed)},
		{"tools", tools(whole)},
		{"streamed tools", tools(streamed)},
		{"structured", func(model string) (any, error) {
			_, seen, err := whole(model, genai.Text(words), &genai.GenerateContentConfig{
				ResponseMIMEType: "application/json", ResponseJsonSchema: place,
			})
			if err != nil {
				return nil, err
			}
			return arguments(seen.Text)
		}},
		{"count", func(model string) (any, error) {
			counted, err := client.Models.CountTokens(ctx, model, genai.Text(words), nil)
			if err != nil {
				return nil, err
			}
			return counted.TotalTokens, nil
		}},
		{"models", func(model string) (any, error) {
			names := []string{}
			for listed, err := range client.Models.All(ctx) {
				if err != nil {
					return nil, err
				}
				names = append(names, strings.TrimPrefix(listed.Name, "models/"))
			}
			retrieved, err := client.Models.Get(ctx, model, nil)
			if err != nil {
				return nil, err
			}
			return map[string]any{"names": names, "retrieved": strings.TrimPrefix(retrieved.Name, "models/")}, nil
		}},
		{"errors", func(model string) (any, error) {
			wrong, err := geminiClient("sk-wrong")
			if err != nil {
				return nil, err
			}
			_, key := wrong.Models.GenerateContent(ctx, model, genai.Text(words), nil)
			_, _, unknown := whole("no-such-model", genai.Text(words), nil)
			return refusals{geminiStatus(key), geminiStatus(unknown)}, nil
		}},
	}
}

func geminiMedia() []step {
	ctx := context.Background()
	client, err := geminiClient(token)
	if err != nil {
		panic(err)
	}
	return []step{
		{"embeddings", func(string) (any, error) {
			contents := append(genai.Text("one"), genai.Text("two")...)
			answer, err := client.Models.EmbedContent(ctx, "gemini-embedding-001", contents, nil)
			if err != nil {
				return nil, err
			}
			sizes := []int{}
			for _, vector := range answer.Embeddings {
				sizes = append(sizes, len(vector.Values))
			}
			return sizes, nil
		}},
		{"image", func(string) (any, error) {
			answer, err := client.Models.GenerateContent(ctx, "gemini-2.5-flash-image", genai.Text("a cat"), nil)
			if err != nil {
				return nil, err
			}
			size := 0
			for _, part := range answer.Candidates[0].Content.Parts {
				if part.InlineData != nil {
					size += len(part.InlineData.Data)
				}
			}
			return size, nil
		}},
	}
}
