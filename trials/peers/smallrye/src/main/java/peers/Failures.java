package peers;

import io.quarkus.arc.profile.IfBuildProfile;
import io.smallrye.common.annotation.Identifier;
import io.smallrye.reactive.messaging.kafka.KafkaRecord;
import io.smallrye.reactive.messaging.kafka.reply.ReplyFailureHandler;
import jakarta.enterprise.context.ApplicationScoped;
import java.nio.charset.StandardCharsets;

/** Lets a call fail unless its reply is plain success. */
@ApplicationScoped
@Identifier("catchment")
@IfBuildProfile("client")
public class Failures implements ReplyFailureHandler {
    @Override
    public Throwable handleReply(KafkaRecord<?, ?> reply) {
        var code = reply.getHeaders().lastHeader("catchment-error-code");
        if (code == null) {
            return null;
        }
        return new Refused(new String(code.value(), StandardCharsets.UTF_8), (String) reply.getPayload());
    }
}
