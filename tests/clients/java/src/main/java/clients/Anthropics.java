package clients;

import clients.Main.Call;
import clients.Main.Refusals;
import clients.Main.Said;
import clients.Main.Step;
import com.anthropic.client.AnthropicClient;
import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.core.JsonValue;
import com.anthropic.errors.AnthropicServiceException;
import com.anthropic.helpers.MessageAccumulator;
import com.anthropic.models.messages.ContentBlockParam;
import com.anthropic.models.messages.JsonOutputFormat;
import com.anthropic.models.messages.Message;
import com.anthropic.models.messages.MessageCountTokensParams;
import com.anthropic.models.messages.MessageCreateParams;
import com.anthropic.models.messages.OutputConfig;
import com.anthropic.models.messages.Tool;
import com.anthropic.models.messages.ToolChoiceAny;
import com.anthropic.models.messages.ToolResultBlockParam;
import com.anthropic.models.models.ModelInfo;
import com.fasterxml.jackson.core.type.TypeReference;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Anthropic's own client. */
final class Anthropics {
    private static final AnthropicClient CLIENT = client(Main.TOKEN);

    private static AnthropicClient client(String key) {
        return AnthropicOkHttpClient.builder().baseUrl(Main.GATEWAY).apiKey(key).maxRetries(0).build();
    }

    private static int status(Runnable call) {
        try {
            call.run();
            return 0;
        } catch (AnthropicServiceException refused) {
            return refused.statusCode();
        }
    }

    private static MessageCreateParams.Builder asked(String model) {
        return MessageCreateParams.builder().model(model).maxTokens(500).addUserMessage(Main.WORDS);
    }

    private static Message whole(MessageCreateParams.Builder asked) {
        return CLIENT.messages().create(asked.build());
    }

    private static Message streamed(MessageCreateParams.Builder asked) {
        var gathered = MessageAccumulator.create();
        try (var stream = CLIENT.messages().createStreaming(asked.build())) {
            stream.stream().forEach(gathered::accumulate);
        }
        return gathered.message();
    }

    private static Said understood(Message message) {
        var text = new StringBuilder();
        var calls = new ArrayList<Call>();
        for (var block : message.content()) {
            block.text().ifPresent(part -> text.append(part.text()));
            block.toolUse().ifPresent(use ->
                    calls.add(new Call(use.name(), use._input().convert(new TypeReference<Map<String, Object>>() {}))));
        }
        return new Said(text.toString(), message.usage().inputTokens(), message.usage().outputTokens(), calls);
    }

    private static Said tools(String model, Function<MessageCreateParams.Builder, Message> ask) {
        var schema = Tool.InputSchema.builder()
                .properties(JsonValue.from(Main.PLACE.get("properties")).convert(Tool.InputSchema.Properties.class))
                .required(Main.REQUIRED);
        var tool = Tool.builder().name("weather").inputSchema(schema.build()).build();
        var first = ask.apply(asked(model).addTool(tool).toolChoice(ToolChoiceAny.builder().build()));
        var results = new ArrayList<ContentBlockParam>();
        for (var block : first.content()) {
            block.toolUse().ifPresent(use -> results.add(ContentBlockParam.ofToolResult(
                    ToolResultBlockParam.builder().toolUseId(use.id()).content("sunny").build())));
        }
        var again = asked(model).addTool(tool).addMessage(first).addUserMessageOfContentBlockParams(results);
        return understood(first).with(understood(ask.apply(again)).text());
    }

    private static Object structured(String model) throws Exception {
        var schema = JsonOutputFormat.Schema.builder();
        Main.PLACE.forEach((name, value) -> schema.putAdditionalProperty(name, JsonValue.from(value)));
        var config = OutputConfig.builder().format(JsonOutputFormat.builder().schema(schema.build()).build()).build();
        return Main.read(understood(whole(asked(model).outputConfig(config))).text());
    }

    private static Object models(String model) {
        List<String> names = CLIENT.models().list().autoPager().stream().map(ModelInfo::id).toList();
        return Map.of("names", names, "retrieved", CLIENT.models().retrieve(model).id());
    }

    static Map<String, Step> messages() {
        var steps = new LinkedHashMap<String, Step>();
        steps.put("chat", model -> understood(whole(asked(model))));
        steps.put("stream", model -> understood(streamed(asked(model))));
        steps.put("tools", model -> tools(model, Anthropics::whole));
        steps.put("streamed tools", model -> tools(model, Anthropics::streamed));
        steps.put("structured", Anthropics::structured);
        steps.put("count", model -> CLIENT.messages()
                .countTokens(MessageCountTokensParams.builder().model(model).addUserMessage(Main.WORDS).build())
                .inputTokens());
        steps.put("models", Anthropics::models);
        steps.put("errors", model -> new Refusals(
                status(() -> client("sk-wrong").messages().create(asked(model).build())),
                status(() -> whole(asked("no-such-model")))));
        return steps;
    }
}
