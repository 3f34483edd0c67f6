package clients;

import clients.Main.Call;
import clients.Main.Refusals;
import clients.Main.Said;
import clients.Main.Step;
import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.JsonValue;
import com.openai.errors.OpenAIServiceException;
import com.openai.helpers.ChatCompletionAccumulator;
import com.openai.helpers.ResponseAccumulator;
import com.openai.models.FunctionDefinition;
import com.openai.models.FunctionParameters;
import com.openai.models.ResponseFormatJsonSchema;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.chat.completions.ChatCompletionToolChoiceOption;
import com.openai.models.chat.completions.ChatCompletionToolMessageParam;
import com.openai.models.embeddings.EmbeddingCreateParams;
import com.openai.models.images.ImageGenerateParams;
import com.openai.models.models.Model;
import com.openai.models.responses.EasyInputMessage;
import com.openai.models.responses.FunctionTool;
import com.openai.models.responses.Response;
import com.openai.models.responses.ResponseCreateParams;
import com.openai.models.responses.ResponseInputItem;
import com.openai.models.responses.ToolChoiceOptions;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** OpenAI's own client: chats, responses, embeddings, pictures. */
final class OpenAi {
    private static final OpenAIClient CLIENT = client(Main.TOKEN);

    private static OpenAIClient client(String key) {
        return OpenAIOkHttpClient.builder().baseUrl(Main.GATEWAY + "/v1").apiKey(key).maxRetries(0).build();
    }

    private static int status(Runnable call) {
        try {
            call.run();
            return 0;
        } catch (OpenAIServiceException refused) {
            return refused.statusCode();
        }
    }

    private static ChatCompletionCreateParams.Builder asked(String model) {
        return ChatCompletionCreateParams.builder().model(model).addUserMessage(Main.WORDS);
    }

    private static ChatCompletion whole(ChatCompletionCreateParams.Builder asked) {
        return CLIENT.chat().completions().create(asked.build());
    }

    private static ChatCompletion streamed(ChatCompletionCreateParams.Builder asked) {
        var options = ChatCompletionStreamOptions.builder().includeUsage(true).build();
        var gathered = ChatCompletionAccumulator.create();
        try (var stream = CLIENT.chat().completions().createStreaming(asked.streamOptions(options).build())) {
            stream.stream().forEach(gathered::accumulate);
        }
        return gathered.chatCompletion();
    }

    private static Said understood(ChatCompletion answer) throws Exception {
        var message = answer.choices().get(0).message();
        var calls = new ArrayList<Call>();
        for (var call : message.toolCalls().orElse(List.of())) {
            var function = call.asFunction().function();
            calls.add(new Call(function.name(), Main.read(function.arguments())));
        }
        var usage = answer.usage().orElseThrow();
        return new Said(message.content().orElse(""), usage.promptTokens(), usage.completionTokens(), calls);
    }

    private static Said tools(
            String model, Function<ChatCompletionCreateParams.Builder, ChatCompletion> ask) throws Exception {
        var parameters = FunctionParameters.builder();
        Main.PLACE.forEach((name, value) -> parameters.putAdditionalProperty(name, JsonValue.from(value)));
        var function = FunctionDefinition.builder().name("weather").parameters(parameters.build()).strict(true).build();
        var asked = asked(model).addFunctionTool(function);
        var first = ask.apply(asked.toolChoice(ChatCompletionToolChoiceOption.Auto.REQUIRED));
        var message = first.choices().get(0).message();
        var again = asked(model).addFunctionTool(function).addMessage(message);
        for (var call : message.toolCalls().orElse(List.of())) {
            var id = call.asFunction().id();
            again.addMessage(ChatCompletionToolMessageParam.builder().toolCallId(id).content("sunny").build());
        }
        return understood(first).with(understood(ask.apply(again)).text());
    }

    private static Object structured(String model) throws Exception {
        var schema = ResponseFormatJsonSchema.JsonSchema.Schema.builder();
        Main.PLACE.forEach((name, value) -> schema.putAdditionalProperty(name, JsonValue.from(value)));
        var format = ResponseFormatJsonSchema.JsonSchema.builder().name("place").schema(schema.build()).strict(true);
        var wanted = ResponseFormatJsonSchema.builder().jsonSchema(format.build()).build();
        return Main.read(understood(whole(asked(model).responseFormat(wanted))).text());
    }

    private static Object models(String model) {
        List<String> names = CLIENT.models().list().autoPager().stream().map(Model::id).toList();
        return Map.of("names", names, "retrieved", CLIENT.models().retrieve(model).id());
    }

    static Map<String, Step> chats() {
        var steps = new LinkedHashMap<String, Step>();
        steps.put("chat", model -> understood(whole(asked(model))));
        steps.put("stream", model -> understood(streamed(asked(model))));
        steps.put("tools", model -> tools(model, OpenAi::whole));
        steps.put("streamed tools", model -> tools(model, OpenAi::streamed));
        steps.put("structured", OpenAi::structured);
        steps.put("models", OpenAi::models);
        steps.put("errors", model -> new Refusals(
                status(() -> client("sk-wrong").chat().completions().create(asked(model).build())),
                status(() -> whole(asked("no-such-model")))));
        return steps;
    }

    static Object embeddings(String none) {
        var asked = EmbeddingCreateParams.builder().model("text-embedding-3-small").inputOfArrayOfStrings(List.of("one", "two"));
        return CLIENT.embeddings().create(asked.build()).data().stream().map(vector -> vector.embedding().size()).toList();
    }

    static Object image(String none) {
        var asked = ImageGenerateParams.builder().model("gpt-image-1").prompt("a cat").build();
        var picture = CLIENT.images().generate(asked).data().orElseThrow().get(0).b64Json().orElseThrow();
        return Base64.getDecoder().decode(picture).length;
    }

    private static ResponseCreateParams.Builder toRespond(String model, List<ResponseInputItem> items) {
        return ResponseCreateParams.builder().model(model).store(false).inputOfResponse(items);
    }

    private static ResponseInputItem question() {
        var message = EasyInputMessage.builder().role(EasyInputMessage.Role.USER).content(Main.WORDS).build();
        return ResponseInputItem.ofEasyInputMessage(message);
    }

    private static Response respond(ResponseCreateParams.Builder asked) {
        return CLIENT.responses().create(asked.build());
    }

    private static Response stream(ResponseCreateParams.Builder asked) {
        var gathered = ResponseAccumulator.create();
        try (var stream = CLIENT.responses().createStreaming(asked.build())) {
            stream.stream().forEach(gathered::accumulate);
        }
        return gathered.response();
    }

    private static Said understood(Response answer) throws Exception {
        var text = new StringBuilder();
        var calls = new ArrayList<Call>();
        for (var item : answer.output()) {
            for (var content : item.message().map(message -> message.content()).orElse(List.of())) {
                content.outputText().ifPresent(part -> text.append(part.text()));
            }
            if (item.isFunctionCall()) {
                var call = item.asFunctionCall();
                calls.add(new Call(call.name(), Main.read(call.arguments())));
            }
        }
        var usage = answer.usage().orElseThrow();
        return new Said(text.toString(), usage.inputTokens(), usage.outputTokens(), calls);
    }

    private static Said respondWithTools(String model, Function<ResponseCreateParams.Builder, Response> ask)
            throws Exception {
        var parameters = FunctionTool.Parameters.builder();
        Main.PLACE.forEach((name, value) -> parameters.putAdditionalProperty(name, JsonValue.from(value)));
        var function = FunctionTool.builder().name("weather").parameters(parameters.build()).strict(true).build();
        var items = new ArrayList<>(List.of(question()));
        var first = ask.apply(toRespond(model, items).addTool(function).toolChoice(ToolChoiceOptions.REQUIRED));
        for (var item : first.output()) {
            if (item.isFunctionCall()) {
                items.add(ResponseInputItem.ofFunctionCall(item.asFunctionCall()));
                items.add(ResponseInputItem.ofFunctionCallOutput(ResponseInputItem.FunctionCallOutput.builder()
                        .callId(item.asFunctionCall().callId()).output("sunny").build()));
            }
        }
        var last = ask.apply(toRespond(model, items).addTool(function));
        return understood(first).with(understood(last).text());
    }

    static Map<String, Step> responses() {
        var steps = new LinkedHashMap<String, Step>();
        steps.put("chat", model -> understood(respond(toRespond(model, List.of(question())))));
        steps.put("stream", model -> understood(stream(toRespond(model, List.of(question())))));
        steps.put("tools", model -> respondWithTools(model, OpenAi::respond));
        steps.put("streamed tools", model -> respondWithTools(model, OpenAi::stream));
        return steps;
    }
}
