package clients;

import clients.Main.Call;
import clients.Main.Refusals;
import clients.Main.Said;
import clients.Main.Step;
import com.google.genai.Client;
import com.google.genai.errors.ApiException;
import com.google.genai.types.Content;
import com.google.genai.types.FunctionCallingConfig;
import com.google.genai.types.FunctionDeclaration;
import com.google.genai.types.FunctionResponse;
import com.google.genai.types.GenerateContentConfig;
import com.google.genai.types.GenerateContentResponse;
import com.google.genai.types.HttpOptions;
import com.google.genai.types.Part;
import com.google.genai.types.Tool;
import com.google.genai.types.ToolConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Google's own client. */
final class Gemini {
    private static final Client CLIENT = client(Main.TOKEN);

    /** What came, and the turn to send back. */
    private record Turn(Said said, Content content) {}

    private interface Way {
        Turn ask(String model, List<Content> contents, GenerateContentConfig config);
    }

    private static Client client(String key) {
        return Client.builder().apiKey(key).httpOptions(HttpOptions.builder().baseUrl(Main.GATEWAY).build()).build();
    }

    private static int status(Runnable call) {
        try {
            call.run();
            return 0;
        } catch (ApiException refused) {
            return refused.code();
        }
    }

    private static List<Content> question() {
        return List.of(Content.fromParts(Part.fromText(Main.WORDS)));
    }

    private static Turn understood(Iterable<GenerateContentResponse> chunks) {
        var text = new StringBuilder();
        var parts = new ArrayList<Part>();
        var calls = new ArrayList<Call>();
        long input = 0;
        long output = 0;
        for (var chunk : chunks) {
            for (var part : chunk.parts() == null ? List.<Part>of() : chunk.parts()) {
                parts.add(part);
                part.text().filter(words -> !part.thought().orElse(false)).ifPresent(text::append);
                part.functionCall().ifPresent(use -> calls.add(new Call(use.name().get(), use.args().get())));
            }
            if (chunk.usageMetadata().isPresent()) {
                var usage = chunk.usageMetadata().get();
                input = usage.promptTokenCount().orElse(0);
                output = usage.candidatesTokenCount().orElse(0) + usage.thoughtsTokenCount().orElse(0);
            }
        }
        var content = Content.builder().role("model").parts(parts).build();
        return new Turn(new Said(text.toString(), input, output, calls), content);
    }

    private static Turn whole(String model, List<Content> contents, GenerateContentConfig config) {
        return understood(List.of(CLIENT.models.generateContent(model, contents, config)));
    }

    private static Turn streamed(String model, List<Content> contents, GenerateContentConfig config) {
        try (var stream = CLIENT.models.generateContentStream(model, contents, config)) {
            return understood(stream);
        }
    }

    private static Said tools(String model, Way way) {
        var tool = Tool.builder().functionDeclarations(
                FunctionDeclaration.builder().name("weather").parametersJsonSchema(Main.PLACE).build()).build();
        var must = ToolConfig.builder().functionCallingConfig(FunctionCallingConfig.builder().mode("ANY")).build();
        var config = GenerateContentConfig.builder().tools(tool);
        var first = way.ask(model, question(), config.toolConfig(must).build());
        var results = new ArrayList<Part>();
        for (var part : first.content().parts().orElse(List.of())) {
            part.functionCall().ifPresent(use -> {
                var result = FunctionResponse.builder().name(use.name().get()).response(Map.of("result", "sunny"));
                use.id().ifPresent(result::id);
                results.add(Part.builder().functionResponse(result.build()).build());
            });
        }
        var contents = new ArrayList<>(question());
        contents.add(first.content());
        contents.add(Content.builder().role("user").parts(results).build());
        var last = way.ask(model, contents, GenerateContentConfig.builder().tools(tool).build());
        return first.said().with(last.said().text());
    }

    private static Object structured(String model) throws Exception {
        var config = GenerateContentConfig.builder().responseMimeType("application/json").responseJsonSchema(Main.PLACE);
        return Main.read(whole(model, question(), config.build()).said().text());
    }

    private static Object models(String model) {
        var names = new ArrayList<String>();
        for (var listed : CLIENT.models.list(null)) {
            names.add(listed.name().get().replaceFirst("^models/", ""));
        }
        var retrieved = CLIENT.models.get(model, null).name().get().replaceFirst("^models/", "");
        return Map.of("names", names, "retrieved", retrieved);
    }

    static Map<String, Step> contents() {
        var steps = new LinkedHashMap<String, Step>();
        steps.put("chat", model -> whole(model, question(), null).said());
        steps.put("stream", model -> streamed(model, question(), null).said());
        steps.put("tools", model -> tools(model, Gemini::whole));
        steps.put("streamed tools", model -> tools(model, Gemini::streamed));
        steps.put("structured", Gemini::structured);
        steps.put("count", model -> CLIENT.models.countTokens(model, question(), null).totalTokens().get());
        steps.put("models", Gemini::models);
        steps.put("errors", model -> new Refusals(
                status(() -> client("sk-wrong").models.generateContent(model, question(), null)),
                status(() -> whole("no-such-model", question(), null))));
        return steps;
    }

    static Object embeddings(String none) {
        var answer = CLIENT.models.embedContent("gemini-embedding-001", List.of("one", "two"), null);
        return answer.embeddings().get().stream().map(vector -> vector.values().get().size()).toList();
    }
}
