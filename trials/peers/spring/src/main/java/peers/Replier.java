package peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;
import org.springframework.context.annotation.Profile;
import org.springframework.context.event.EventListener;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.event.ConsumerStartedEvent;
import org.springframework.messaging.handler.annotation.SendTo;
import org.springframework.stereotype.Component;

/** Answers requests to the topic in their headers. */
@Component
@Profile("replier")
class Replier {
    private final ObjectMapper json = new ObjectMapper();

    @KafkaListener(topics = "${topic}", groupId = "${topic}", properties = "auto.offset.reset=earliest")
    @SendTo
    String answer(String value) throws Exception {
        var request = json.readTree(value);
        String status = request.get("fail").booleanValue() ? "rejected" : "applied";
        String id = request.get("id").textValue();
        String key = request.get("key").textValue();
        return json.writeValueAsString(Map.of("id", id, "key", key, "status", status));
    }

    @EventListener
    void started(ConsumerStartedEvent event) {
        System.out.println("ready");
    }
}
