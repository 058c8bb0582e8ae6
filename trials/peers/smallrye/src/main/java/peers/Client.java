package peers;

import io.quarkus.arc.profile.IfBuildProfile;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.StartupEvent;
import io.smallrye.reactive.messaging.kafka.api.OutgoingKafkaRecordMetadata;
import io.smallrye.reactive.messaging.kafka.reply.KafkaRequestReply;
import io.vertx.core.json.JsonObject;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.eclipse.microprofile.reactive.messaging.Channel;
import org.eclipse.microprofile.reactive.messaging.Message;

/** Sends requests to Catchment, and writes the replies to a file. */
@ApplicationScoped
@IfBuildProfile("client")
public class Client {
    @Inject
    @Channel("catchment")
    KafkaRequestReply<String, String> catchment;

    @ConfigProperty(name = "at-once")
    int atOnce;

    @ConfigProperty(name = "requests")
    Path requests;

    @ConfigProperty(name = "ends")
    Path ends;

    void start(@Observes StartupEvent event) {
        new Thread(this::run).start();
    }

    private void run() {
        int code = 1;
        try {
            ask();
            code = 0;
        } catch (Exception problem) {
            problem.printStackTrace();
        } finally {
            Quarkus.asyncExit(code);
        }
    }

    private void ask() throws Exception {
        // After this the position in the reply topic is known.
        catchment.waitForAssignments().await().atMost(Duration.ofSeconds(60));
        var room = new Semaphore(atOnce);
        var calls = new ArrayList<CompletableFuture<String>>();
        for (String line : Files.readAllLines(requests)) {
            var request = new JsonObject(line);
            var key = OutgoingKafkaRecordMetadata.builder().withKey(request.getString("key")).build();
            room.acquire();
            var call = catchment.request(Message.of(request.getString("value")).addMetadata(key))
                .map(Message::getPayload)
                .subscribeAsCompletionStage();
            calls.add(call.handle(Client::end));
            call.whenComplete((reply, problem) -> room.release());
        }
        var lines = new ArrayList<String>();
        for (var call : calls) {
            lines.add(call.join());
        }
        Files.write(ends, lines);
    }

    private static String end(String value, Throwable problem) {
        if (problem instanceof Refused refused) {
            value = refused.reply;
        } else if (problem != null) {
            return new JsonObject().put("end", problem.toString()).encode();
        }
        var reply = new JsonObject(value);
        var end = new JsonObject()
            .put("id", reply.getString("id"))
            .put("status", reply.getString("status"));
        if (problem instanceof Refused refused) {
            end.put("code", refused.getMessage());
            end.put("message", reply.getJsonObject("error").getString("message"));
        }
        return end.encode();
    }
}
