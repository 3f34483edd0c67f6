package clients;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Drives Java clients against the gateway, as the test beside this folder says:
 * GATEWAY=… TOKEN=… WORDS=… java clients.Main MODEL…
 *
 * <p>Prints a line of JSON for each step of each client with each model: what was seen, or the error.
 */
final class Main {
    static final String WORDS = System.getenv("WORDS");
    static final String GATEWAY = System.getenv("GATEWAY");
    static final String TOKEN = System.getenv("TOKEN");
    static final Map<String, Object> CITY = Map.of("type", "string");
    static final Map<String, Object> DEGREES = Map.of("type", "integer");
    static final List<String> REQUIRED = List.of("city", "degrees");
    static final Map<String, Object> PLACE = Map.of(
            "type", "object",
            "properties", Map.of("city", CITY, "degrees", DEGREES),
            "required", REQUIRED,
            "additionalProperties", false);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** One use of a client; of a model, where it is not of models by itself. */
    interface Step {
        Object run(String model) throws Exception;
    }

    record Call(String name, Map<String, Object> arguments) {}

    record Said(String text, long input, long output, List<Call> calls) {
        Said with(String last) {
            return new Said(last, input, output, calls);
        }
    }

    record Refusals(int key, int model) {}

    static Map<String, Object> read(String json) throws Exception {
        return JSON.readValue(json, new TypeReference<>() {});
    }

    private static void show(String client, String model, String name, Step step) throws Exception {
        Map<String, Object> line = new LinkedHashMap<>(Map.of("client", client, "model", model, "step", name));
        try {
            line.put("seen", step.run(model));
        } catch (Exception error) {
            line.put("error", String.valueOf(error));
        }
        System.out.println(JSON.writeValueAsString(line));
    }

    public static void main(String[] models) throws Exception {
        Map<String, Map<String, Step>> clients = new LinkedHashMap<>();
        clients.put("openai-java", OpenAi.chats());
        clients.put("openai-java responses", OpenAi.responses());
        clients.put("anthropic-java", Anthropics.messages());
        clients.put("google-genai", Gemini.contents());
        clients.put("langchain4j openai", LangChain.openai());
        clients.put("langchain4j anthropic", LangChain.anthropic());
        clients.put("spring-ai", Spring.chats());
        for (var client : clients.entrySet()) {
            for (String model : models) {
                for (var step : client.getValue().entrySet()) {
                    show(client.getKey(), model, step.getKey(), step.getValue());
                }
            }
        }
        show("openai-java", "", "embeddings", OpenAi::embeddings);
        show("openai-java", "", "image", OpenAi::image);
        show("google-genai", "", "embeddings", Gemini::embeddings);
        show("langchain4j openai", "", "embeddings", LangChain::embeddings);
        System.exit(0);
    }
}
