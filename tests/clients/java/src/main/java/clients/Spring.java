package clients;

import clients.Main.Call;
import clients.Main.Refusals;
import clients.Main.Said;
import clients.Main.Step;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.openai.OpenAiChatModel;
import org.springframework.ai.openai.OpenAiChatOptions;
import org.springframework.ai.openai.api.OpenAiApi;
import org.springframework.ai.retry.RetryUtils;
import org.springframework.ai.tool.function.FunctionToolCallback;
import org.springframework.web.client.DefaultResponseErrorHandler;
import org.springframework.web.client.HttpStatusCodeException;

/** Spring AI over Spring's own HTTP clients, which are the JDK's here. */
final class Spring {
    record Place(String city, int degrees) {}

    private interface Way {
        Iterable<ChatResponse> ask(OpenAiChatModel model, Prompt prompt);
    }

    private static OpenAiChatModel model(String key) {
        var api = OpenAiApi.builder()
                .baseUrl(Main.GATEWAY)
                .apiKey(key)
                .responseErrorHandler(new DefaultResponseErrorHandler())
                .build();
        return OpenAiChatModel.builder().openAiApi(api).retryTemplate(RetryUtils.SHORT_RETRY_TEMPLATE).build();
    }

    private static OpenAiChatOptions.Builder options(String model) {
        return OpenAiChatOptions.builder().model(model);
    }

    private static List<ChatResponse> whole(OpenAiChatModel model, Prompt prompt) {
        return List.of(model.call(prompt));
    }

    private static Iterable<ChatResponse> streamed(OpenAiChatModel model, Prompt prompt) {
        return model.stream(prompt).toIterable();
    }

    private static Said said(Iterable<ChatResponse> chunks, List<Call> calls) {
        var text = new StringBuilder();
        long input = 0;
        long output = 0;
        for (var chunk : chunks) {
            if (chunk.getResult() != null && chunk.getResult().getOutput().getText() != null) {
                text.append(chunk.getResult().getOutput().getText());
            }
            input = Math.max(input, chunk.getMetadata().getUsage().getPromptTokens());
            output = Math.max(output, chunk.getMetadata().getUsage().getCompletionTokens());
        }
        return new Said(text.toString(), input, output, calls);
    }

    private static Said tools(String model, boolean stream, Way way) {
        var calls = new ArrayList<Call>();
        var weather = FunctionToolCallback.builder("weather", (Place place) -> {
                    calls.add(new Call("weather", Map.of("city", place.city(), "degrees", place.degrees())));
                    return "sunny";
                })
                .inputType(Place.class)
                .build();
        var prompt = new Prompt("[tool] " + Main.WORDS, options(model).streamUsage(stream).toolCallbacks(weather).build());
        return said(way.ask(model(Main.TOKEN), prompt), calls);
    }

    private static int status(String key, String model) {
        try {
            model(key).call(new Prompt(Main.WORDS, options(model).build()));
            return 0;
        } catch (HttpStatusCodeException refused) {
            return refused.getStatusCode().value();
        }
    }

    static Map<String, Step> chats() {
        var steps = new LinkedHashMap<String, Step>();
        steps.put("chat", model -> {
            var prompt = new Prompt(Main.WORDS, options(model).build());
            return said(whole(model(Main.TOKEN), prompt), List.of());
        });
        steps.put("stream", model -> {
            var prompt = new Prompt(Main.WORDS, options(model).streamUsage(true).build());
            return said(streamed(model(Main.TOKEN), prompt), List.of());
        });
        steps.put("tools", model -> tools(model, false, Spring::whole));
        steps.put("streamed tools", model -> tools(model, true, Spring::streamed));
        steps.put("errors", model -> new Refusals(status("sk-wrong", model), status(Main.TOKEN, "no-such-model")));
        return steps;
    }
}
