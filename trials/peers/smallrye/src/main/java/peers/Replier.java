package peers;

import io.quarkus.arc.profile.IfBuildProfile;
import io.vertx.core.json.JsonObject;
import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.reactive.messaging.Incoming;
import org.eclipse.microprofile.reactive.messaging.Outgoing;

/** Answers requests to the topic in their headers. */
@ApplicationScoped
@IfBuildProfile("replier")
public class Replier {
    @Incoming("requests")
    @Outgoing("replies")
    String answer(String value) {
        var request = new JsonObject(value);
        return new JsonObject()
            .put("id", request.getString("id"))
            .put("key", request.getString("key"))
            .put("status", request.getBoolean("fail") ? "rejected" : "applied")
            .encode();
    }
}
