package peers;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import java.util.Map;

/** A reply of Catchment. */
@JsonIgnoreProperties(ignoreUnknown = true)
public record Reply(String id, String key, String status, Map<String, Object> error) {}
