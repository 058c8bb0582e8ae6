package peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.ApplicationRunner;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.kafka.config.ConcurrentKafkaListenerContainerFactory;
import org.springframework.kafka.core.ProducerFactory;
import org.springframework.kafka.requestreply.ReplyingKafkaTemplate;

/** Sends requests to Catchment, and writes the replies to a file. */
@Configuration
@Profile("client")
class Client {
    private final ObjectMapper json = new ObjectMapper();

    @Bean
    ReplyingKafkaTemplate<String, String, Object> template(
            ProducerFactory<String, String> producers,
            ConcurrentKafkaListenerContainerFactory<String, Object> containers,
            @Value("${topic}") String topic) {
        var replies = containers.createContainer(topic + ".reply");
        // A group of its own: this client reads every reply, and ignores replies to other processes.
        replies.getContainerProperties().setGroupId("spring-" + UUID.randomUUID());
        var template = new ReplyingKafkaTemplate<>(producers, replies);
        template.setSharedReplyTopic(true);
        template.setDefaultReplyTimeout(Duration.ofSeconds(30));
        template.setReplyErrorChecker(Client::failure);
        return template;
    }

    /** Lets a call fail with an exception unless its reply is plain success. */
    private static Exception failure(ConsumerRecord<?, ?> reply) {
        Header code = reply.headers().lastHeader("catchment-error-code");
        return code == null ? null : new Refused(text(code), reply.value());
    }

    private static String text(Header header) {
        return new String(header.value(), StandardCharsets.UTF_8);
    }

    static class Refused extends RuntimeException {
        final transient Object reply;

        Refused(String code, Object reply) {
            super(code);
            this.reply = reply;
        }
    }

    @Bean
    ApplicationRunner ask(
            ApplicationContext context,
            ReplyingKafkaTemplate<String, String, Object> template,
            @Value("${topic}") String topic,
            @Value("${at-once}") int atOnce,
            @Value("${requests}") Path requests,
            @Value("${ends}") Path ends) {
        return arguments -> {
            // After this the position in the reply topic is known.
            if (!template.waitForAssignment(Duration.ofSeconds(60))) {
                throw new IllegalStateException("no partition of the reply topic was assigned");
            }
            var room = new Semaphore(atOnce);
            List<CompletableFuture<Map<String, Object>>> calls = new ArrayList<>();
            for (String line : Files.readAllLines(requests)) {
                var request = json.readTree(line);
                String value = request.get("value").textValue();
                var message = new ProducerRecord<>(topic, request.get("key").textValue(), value);
                room.acquire();
                var call = template.sendAndReceive(message);
                calls.add(call.thenApply(ConsumerRecord::value).handle(this::end));
                call.whenComplete((reply, problem) -> room.release());
            }
            var lines = new ArrayList<String>();
            for (var call : calls) {
                lines.add(json.writeValueAsString(call.join()));
            }
            Files.write(ends, lines);
            System.exit(SpringApplication.exit(context));
        };
    }

    private Map<String, Object> end(Object value, Throwable problem) {
        Throwable cause = problem;
        while (cause != null && !(cause instanceof Refused) && cause.getCause() != null) {
            cause = cause.getCause();
        }
        var end = new LinkedHashMap<String, Object>();
        if (cause != null && !(cause instanceof Refused)) {
            end.put("end", cause.toString());
            return end;
        }
        Object said = cause instanceof Refused refused ? refused.reply : value;
        try {
            Reply reply = said instanceof Reply read ? read : json.readValue((String) said, Reply.class);
            end.put("id", reply.id());
            end.put("status", reply.status());
            end.put("code", cause == null ? null : cause.getMessage());
            end.put("message", reply.error() == null ? null : reply.error().get("message"));
        } catch (Exception unreadable) {
            end.put("end", unreadable.toString());
        }
        return end;
    }
}
