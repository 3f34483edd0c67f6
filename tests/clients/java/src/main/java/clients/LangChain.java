package clients;

import clients.Main.Call;
import clients.Main.Refusals;
import clients.Main.Said;
import clients.Main.Step;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.data.segment.TextSegment;
import dev.langchain4j.exception.HttpException;
import dev.langchain4j.model.anthropic.AnthropicChatModel;
import dev.langchain4j.model.anthropic.AnthropicStreamingChatModel;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiEmbeddingModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;

/** LangChain4j over the JDK's own HTTP client, which offers HTTP/2 with each request (<code>Upgrade: h2c</code>). */
final class LangChain {
    private static final JsonObjectSchema PLACE = JsonObjectSchema.builder()
            .addStringProperty("city")
            .addIntegerProperty("degrees")
            .required(Main.REQUIRED)
            .additionalProperties(false)
            .build();

    private interface Way {
        ChatResponse ask(String model, ChatRequest.Builder request) throws Exception;
    }

    private record Whole(BiFunction<String, String, ChatModel> models) implements Way {
        @Override
        public ChatResponse ask(String model, ChatRequest.Builder request) {
            return models.apply(model, Main.TOKEN).chat(request.build());
        }
    }

    private record Streamed(BiFunction<String, String, StreamingChatModel> models) implements Way {
        @Override
        public ChatResponse ask(String model, ChatRequest.Builder request) throws Exception {
            var done = new CompletableFuture<ChatResponse>();
            models.apply(model, Main.TOKEN).chat(request.build(), new StreamingChatResponseHandler() {
                @Override
                public void onCompleteResponse(ChatResponse answer) {
                    done.complete(answer);
                }

                @Override
                public void onError(Throwable error) {
                    done.completeExceptionally(error);
                }
            });
            return done.get();
        }
    }

    private static Said understood(ChatResponse answer) throws Exception {
        var calls = new ArrayList<Call>();
        for (var use : answer.aiMessage().toolExecutionRequests()) {
            calls.add(new Call(use.name(), Main.read(use.arguments())));
        }
        var usage = answer.tokenUsage();
        var text = answer.aiMessage().text();
        return new Said(text == null ? "" : text, usage.inputTokenCount(), usage.outputTokenCount(), calls);
    }

    private static Said tools(String model, Way way) throws Exception {
        var tool = ToolSpecification.builder().name("weather").parameters(PLACE).build();
        var question = UserMessage.from(Main.WORDS);
        var first = way.ask(
                model,
                ChatRequest.builder().messages(question).toolSpecifications(tool).toolChoice(ToolChoice.REQUIRED));
        var turns = new ArrayList<>(List.of(question, first.aiMessage()));
        for (var use : first.aiMessage().toolExecutionRequests()) {
            turns.add(ToolExecutionResultMessage.from(use, "sunny"));
        }
        var last = way.ask(model, ChatRequest.builder().messages(turns).toolSpecifications(tool));
        return understood(first).with(last.aiMessage().text());
    }

    private static Object structured(String model, Way way) throws Exception {
        var schema = JsonSchema.builder().name("place").rootElement(PLACE).build();
        var format = ResponseFormat.builder().type(ResponseFormatType.JSON).jsonSchema(schema).build();
        var asked = ChatRequest.builder().messages(UserMessage.from(Main.WORDS)).responseFormat(format);
        return Main.read(way.ask(model, asked).aiMessage().text());
    }

    private static int status(ChatModel model) {
        try {
            model.chat(Main.WORDS);
            return 0;
        } catch (RuntimeException error) {
            return error.getCause() instanceof HttpException refused ? refused.statusCode() : 0;
        }
    }

    private static Map<String, Step> steps(
            BiFunction<String, String, ChatModel> models, BiFunction<String, String, StreamingChatModel> streaming) {
        var whole = new Whole(models);
        var streamed = new Streamed(streaming);
        var steps = new LinkedHashMap<String, Step>();
        var question = UserMessage.from(Main.WORDS);
        steps.put("chat", model -> understood(whole.ask(model, ChatRequest.builder().messages(question))));
        steps.put("stream", model -> understood(streamed.ask(model, ChatRequest.builder().messages(question))));
        steps.put("tools", model -> tools(model, whole));
        steps.put("streamed tools", model -> tools(model, streamed));
        steps.put("structured", model -> structured(model, whole));
        steps.put("errors", model -> new Refusals(
                status(models.apply(model, "sk-wrong")), status(models.apply("no-such-model", Main.TOKEN))));
        return steps;
    }

    static Map<String, Step> openai() {
        var address = Main.GATEWAY + "/v1";
        return steps(
                (model, key) -> OpenAiChatModel.builder()
                        .baseUrl(address).apiKey(key).modelName(model).maxRetries(0).strictJsonSchema(true).build(),
                (model, key) -> OpenAiStreamingChatModel.builder()
                        .baseUrl(address).apiKey(key).modelName(model).build());
    }

    static Map<String, Step> anthropic() {
        var address = Main.GATEWAY + "/v1";
        return steps(
                (model, key) -> AnthropicChatModel.builder()
                        .baseUrl(address).apiKey(key).modelName(model).maxTokens(500).maxRetries(0).build(),
                (model, key) -> AnthropicStreamingChatModel.builder()
                        .baseUrl(address).apiKey(key).modelName(model).maxTokens(500).build());
    }

    static Object embeddings(String none) {
        var model = OpenAiEmbeddingModel.builder()
                .baseUrl(Main.GATEWAY + "/v1").apiKey(Main.TOKEN).modelName("text-embedding-3-small").build();
        var vectors = model.embedAll(List.of(TextSegment.from("one"), TextSegment.from("two"))).content();
        return vectors.stream().map(vector -> vector.dimension()).toList();
    }
}
