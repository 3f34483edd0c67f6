// Drives Go clients against the gateway, as the test beside this folder says: GATEWAY=… TOKEN=… WORDS=… clients MODEL…
//
// Prints a line of JSON for each step of each client with each model: what was seen, or the error.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

var (
	gateway = os.Getenv("GATEWAY")
	token   = os.Getenv("TOKEN")
	words   = os.Getenv("WORDS")
	place   = map[string]any{
		"type": "object",
		"properties": map[string]any{
			"city":    map[string]any{"type": "string"},
			"degrees": map[string]any{"type": "integer"},
		},
		"required":             []string{"city", "degrees"},
		"additionalProperties": false,
	}
)

type said struct {
	Text   string `json:"text"`
	Input  int64  `json:"input"`
	Output int64  `json:"output"`
	Calls  []call `json:"calls,omitempty"`
}

type call struct {
	Name      string         `json:"name"`
	Arguments map[string]any `json:"arguments"`
}

type refusals struct {
	Key   int `json:"key"`
	Model int `json:"model"`
}

// A step is one use of a client; of a model, where it is not of models by itself.
type step struct {
	name string
	run  func(model string) (any, error)
}

type line struct {
	Client string `json:"client"`
	Model  string `json:"model"`
	Step   string `json:"step"`
	Seen   any    `json:"seen,omitempty"`
	Error  string `json:"error,omitempty"`
}

func run(client, model string, step step) (done line) {
	done = line{Client: client, Model: model, Step: step.name}
	defer func() {
		if panicked := recover(); panicked != nil {
			done.Error = fmt.Sprint(panicked)
		}
	}()
	seen, err := step.run(model)
	if err != nil {
		done.Error = err.Error()
		return done
	}
	done.Seen = seen
	return done
}

func arguments(text string) (map[string]any, error) {
	var read map[string]any
	return read, json.Unmarshal([]byte(text), &read)
}

func main() {
	out := json.NewEncoder(os.Stdout)
	clients := map[string][]step{
		"openai-go":           openaiChat(),
		"openai-go responses": openaiResponses(),
		"anthropic-sdk-go":    anthropicMessages(),
		"genai":               geminiContent(),
		"go-openai":           goOpenai(),
	}
	media := map[string][]step{"openai-go": openaiMedia(), "genai": geminiMedia(), "go-openai": goOpenaiMedia()}
	for client, steps := range clients {
		for _, model := range os.Args[1:] {
			for _, step := range steps {
				out.Encode(run(client, model, step))
			}
		}
		for _, step := range media[client] {
			out.Encode(run(client, "", step))
		}
	}
}
