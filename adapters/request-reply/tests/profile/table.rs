//! The essential ones of the captured records, so that they are checked everywhere.

use crate::captured::Row;

/// What real peers wrote; of the values only whether there was one.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    Row {
        system: "spring-kafka", version: "3.3.16", role: "request", case: "default",
        topic: "interop-cap-spring-0-75920", partition: 2, offset: 0, timestamp: 1_795_376_137_032,
        has_value: true,
        headers: &[
            ("kafka_replyTopic", b"interop-cap-spring-0-75920.replies"),
            ("kafka_correlationId", b"(\x11c)QKN:\xb9\x8e\x89\xa1\xd1H\xc0\x18"),
        ],
    },
    Row {
        system: "spring-kafka", version: "3.3.16", role: "reply", case: "default",
        topic: "interop-cap-spring-0-75920.replies", partition: 2, offset: 0, timestamp: 1_795_376_137_322,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"(\x11c)QKN:\xb9\x8e\x89\xa1\xd1H\xc0\x18"),
        ],
    },
    Row {
        system: "spring-kafka", version: "3.3.16", role: "request", case: "correlation-text",
        topic: "interop-cap-spring-1-75920", partition: 2, offset: 0, timestamp: 1_795_376_146_696,
        has_value: true,
        headers: &[
            ("kafka_replyTopic", b"interop-cap-spring-1-75920.replies"),
            ("kafka_correlationId", b"a6ef12e5-8d42-4ef2-baf9-df9992720fea"),
        ],
    },
    Row {
        system: "spring-kafka", version: "3.3.16", role: "reply", case: "correlation-text",
        topic: "interop-cap-spring-1-75920.replies", partition: 2, offset: 0, timestamp: 1_795_376_146_861,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"a6ef12e5-8d42-4ef2-baf9-df9992720fea"),
        ],
    },
    Row {
        system: "spring-kafka", version: "3.3.16", role: "request", case: "reply-partition",
        topic: "interop-cap-spring-2-75920", partition: 2, offset: 0, timestamp: 1_795_376_161_211,
        has_value: true,
        headers: &[
            ("kafka_replyTopic", b"interop-cap-spring-2-75920.replies"),
            ("kafka_replyPartition", b"\x00\x00\x00\x01"),
            ("kafka_correlationId", b"\xef\xc6\xae\xcb\x97\xb7C8\x9c\xcaL\xde(\xf18\xc3"),
        ],
    },
    Row {
        system: "spring-kafka", version: "3.3.16", role: "reply", case: "reply-partition",
        topic: "interop-cap-spring-2-75920.replies", partition: 1, offset: 0, timestamp: 1_795_376_161_346,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"\xef\xc6\xae\xcb\x97\xb7C8\x9c\xcaL\xde(\xf18\xc3"),
        ],
    },
    Row {
        system: "spring-kafka", version: "3.3.16", role: "request", case: "json-serializer",
        topic: "interop-cap-spring-3-75920", partition: 2, offset: 0, timestamp: 1_795_376_167_500,
        has_value: true,
        headers: &[
            ("kafka_replyTopic", b"interop-cap-spring-3-75920.replies"),
            ("kafka_correlationId", b"X%\xf2\x97\x1a\x83Gq\xb7\xd1\xcaS\xf0K-\x9e"),
            ("__TypeId__", b"java.util.LinkedHashMap"),
            ("__ContentTypeId__", b"java.lang.Object"),
            ("__KeyTypeId__", b"java.lang.Object"),
        ],
    },
    Row {
        system: "spring-kafka", version: "3.3.16", role: "reply", case: "json-serializer",
        topic: "interop-cap-spring-3-75920.replies", partition: 2, offset: 0, timestamp: 1_795_376_167_677,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"X%\xf2\x97\x1a\x83Gq\xb7\xd1\xcaS\xf0K-\x9e"),
            ("__TypeId__", b"java.util.LinkedHashMap"),
            ("__ContentTypeId__", b"java.lang.Object"),
            ("__KeyTypeId__", b"java.lang.Object"),
        ],
    },
    Row {
        system: "spring-kafka", version: "3.3.16", role: "request", case: "handler-throws,dlt",
        topic: "interop-cap-spring-6-75920", partition: 2, offset: 0, timestamp: 1_795_376_193_672,
        has_value: true,
        headers: &[
            ("kafka_replyTopic", b"interop-cap-spring-6-75920.replies"),
            ("kafka_correlationId", b"E\xc5\xb9!\x1a\x7fG\x8f\xa8\xb3\xe7\x09\xe3\xb5\x10\xb7"),
        ],
    },
    Row {
        system: "spring-kafka", version: "3.3.16", role: "dead-letter", case: "handler-throws,dlt",
        topic: "interop-cap-spring-6-75920-dlt", partition: 2, offset: 0, timestamp: 1_795_376_194_783,
        has_value: true,
        headers: &[
            ("kafka_replyTopic", b"interop-cap-spring-6-75920.replies"),
            ("kafka_correlationId", b"E\xc5\xb9!\x1a\x7fG\x8f\xa8\xb3\xe7\x09\xe3\xb5\x10\xb7"),
            ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
            ("kafka_dlt-exception-cause-fqcn", b"java.lang.IllegalStateException"),
            ("kafka_dlt-exception-message", b"shortened"),
            ("kafka_dlt-exception-stacktrace", b"shortened"),
            ("kafka_dlt-original-topic", b"interop-cap-spring-6-75920"),
            ("kafka_dlt-original-partition", b"\x00\x00\x00\x02"),
            ("kafka_dlt-original-offset", b"\x00\x00\x00\x00\x00\x00\x00\x00"),
            ("kafka_dlt-original-timestamp", b"\x00\x00\x01\xa2\x04\xc2\xa0\x88"),
            ("kafka_dlt-original-timestamp-type", b"CreateTime"),
            ("kafka_dlt-original-consumer-group", b"interop-spring-interop-cap-spring-6-75920"),
        ],
    },
    Row {
        system: "spring-kafka", version: "4.1.2", role: "request", case: "default",
        topic: "interop-cap-spring4-0-75920", partition: 2, offset: 0, timestamp: 1_795_376_212_706,
        has_value: true,
        headers: &[
            ("kafka_replyTopic", b"interop-cap-spring4-0-75920.replies"),
            ("kafka_correlationId", b"o\xc8<\x17.\xccL\xf8\xb6\x84d]\xed\x11\xe6\xe1"),
        ],
    },
    Row {
        system: "spring-kafka", version: "4.1.2", role: "reply", case: "default",
        topic: "interop-cap-spring4-0-75920.replies", partition: 2, offset: 0, timestamp: 1_795_376_212_894,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"o\xc8<\x17.\xccL\xf8\xb6\x84d]\xed\x11\xe6\xe1"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "request", case: "default",
        topic: "interop-cap-nest-0-75920", partition: 2, offset: 0, timestamp: 1_795_375_922_217,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"0b83135e19b1cc1198817"),
            ("kafka_replyTopic", b"interop-cap-nest-0-75920.reply"),
            ("kafka_replyPartition", b"0"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "reply", case: "default",
        topic: "interop-cap-nest-0-75920.reply", partition: 0, offset: 0, timestamp: 1_795_375_922_238,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"0b83135e19b1cc1198817"),
            ("kafka_nest-is-disposed", b"\x00"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "request", case: "request-plain-envelope",
        topic: "interop-cap-nest-2-75920", partition: 2, offset: 0, timestamp: 1_795_375_937_836,
        has_value: false,
        headers: &[
            ("kafka_correlationId", b"26350a3b43488ffe369f1"),
            ("kafka_replyTopic", b"interop-cap-nest-2-75920.reply"),
            ("kafka_replyPartition", b"0"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "reply", case: "request-plain-envelope",
        topic: "interop-cap-nest-2-75920.reply", partition: 0, offset: 0, timestamp: 1_795_375_937_854,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"26350a3b43488ffe369f1"),
            ("kafka_nest-is-disposed", b"\x00"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "request", case: "handler-returns-plain-envelope",
        topic: "interop-cap-nest-3-75920", partition: 2, offset: 0, timestamp: 1_795_375_945_830,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"657b1a76033f092eb124d"),
            ("kafka_replyTopic", b"interop-cap-nest-3-75920.reply"),
            ("kafka_replyPartition", b"0"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "reply", case: "handler-returns-plain-envelope",
        topic: "interop-cap-nest-3-75920.reply", partition: 0, offset: 0, timestamp: 1_795_375_945_846,
        has_value: false,
        headers: &[
            ("kafka_correlationId", b"657b1a76033f092eb124d"),
            ("kafka_nest-is-disposed", b"\x00"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "request", case: "handler-throws-rpc-object",
        topic: "interop-cap-nest-9-75920", partition: 2, offset: 0, timestamp: 1_795_375_994_222,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"f588f6efd7337b9ee5db6"),
            ("kafka_replyTopic", b"interop-cap-nest-9-75920.reply"),
            ("kafka_replyPartition", b"0"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "reply", case: "handler-throws-rpc-object",
        topic: "interop-cap-nest-9-75920.reply", partition: 0, offset: 0, timestamp: 1_795_375_994_241,
        has_value: false,
        headers: &[
            ("kafka_correlationId", b"f588f6efd7337b9ee5db6"),
            ("kafka_nest-err", b"{\"code\":\"shop-unknown\",\"message\":\"boom\",\"retryable\":false}"),
            ("kafka_nest-is-disposed", b"\x00"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "request", case: "handler-two-replies",
        topic: "interop-cap-nest-12-75920", partition: 2, offset: 0, timestamp: 1_795_376_018_432,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"10035bd5164e5aee02f9f"),
            ("kafka_replyTopic", b"interop-cap-nest-12-75920.reply"),
            ("kafka_replyPartition", b"0"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "reply", case: "handler-two-replies",
        topic: "interop-cap-nest-12-75920.reply", partition: 0, offset: 0, timestamp: 1_795_376_018_450,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"10035bd5164e5aee02f9f"),
        ],
    },
    Row {
        system: "nestjs", version: "11.2.6", role: "reply", case: "handler-two-replies",
        topic: "interop-cap-nest-12-75920.reply", partition: 0, offset: 1, timestamp: 1_795_376_018_456,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"10035bd5164e5aee02f9f"),
            ("kafka_nest-is-disposed", b"\x00"),
        ],
    },
    Row {
        system: "nestjs", version: "12.1.1", role: "request", case: "handler-null",
        topic: "interop-cap-nest12-10-75920", partition: 2, offset: 0, timestamp: 1_795_376_108_714,
        has_value: true,
        headers: &[
            ("kafka_correlationId", b"a253a269a5c48447e5360"),
            ("kafka_replyTopic", b"interop-cap-nest12-10-75920.reply"),
            ("kafka_replyPartition", b"0"),
        ],
    },
    Row {
        system: "nestjs", version: "12.1.1", role: "reply", case: "handler-null",
        topic: "interop-cap-nest12-10-75920.reply", partition: 0, offset: 0, timestamp: 1_795_376_108_734,
        has_value: false,
        headers: &[
            ("kafka_correlationId", b"a253a269a5c48447e5360"),
            ("kafka_nest-is-disposed", b"\x00"),
        ],
    },
    Row {
        system: "smallrye-reactive-messaging-kafka", version: "4.36.0", role: "request", case: "default",
        topic: "interop-cap-smallrye-0-75920", partition: 2, offset: 0, timestamp: 1_795_376_293_366,
        has_value: true,
        headers: &[
            ("REPLY_CORRELATION_ID", b"dfb64778-1ffd-4021-99cd-2650126508de"),
            ("REPLY_TOPIC", b"interop-cap-smallrye-0-75920-replies"),
        ],
    },
    Row {
        system: "smallrye-reactive-messaging-kafka", version: "4.36.0", role: "reply", case: "default",
        topic: "interop-cap-smallrye-0-75920-replies", partition: 0, offset: 0, timestamp: 1_795_376_294_448,
        has_value: true,
        headers: &[
            ("REPLY_CORRELATION_ID", b"dfb64778-1ffd-4021-99cd-2650126508de"),
        ],
    },
    Row {
        system: "smallrye-reactive-messaging-kafka", version: "4.36.0", role: "request", case: "correlation-bytes",
        topic: "interop-cap-smallrye-1-75920", partition: 2, offset: 0, timestamp: 1_795_376_304_365,
        has_value: true,
        headers: &[
            ("REPLY_CORRELATION_ID", b"0\xba\xd1\xae\xda\x9f}(\xa4\xb2\x03\x80"),
            ("REPLY_TOPIC", b"interop-cap-smallrye-1-75920-replies"),
        ],
    },
    Row {
        system: "smallrye-reactive-messaging-kafka", version: "4.36.0", role: "reply", case: "correlation-bytes",
        topic: "interop-cap-smallrye-1-75920-replies", partition: 1, offset: 0, timestamp: 1_795_376_305_462,
        has_value: true,
        headers: &[
            ("REPLY_CORRELATION_ID", b"0\xba\xd1\xae\xda\x9f}(\xa4\xb2\x03\x80"),
        ],
    },
    Row {
        system: "smallrye-reactive-messaging-kafka", version: "4.36.0", role: "request", case: "reply-partition",
        topic: "interop-cap-smallrye-2-75920", partition: 2, offset: 0, timestamp: 1_795_376_314_369,
        has_value: true,
        headers: &[
            ("REPLY_CORRELATION_ID", b"5decc5f4-af18-4c31-bdbf-0d6e0cd27b34"),
            ("REPLY_TOPIC", b"interop-cap-smallrye-2-75920-replies"),
            ("REPLY_PARTITION", b"\x00\x00\x00\x01"),
        ],
    },
    Row {
        system: "smallrye-reactive-messaging-kafka", version: "4.36.0", role: "reply", case: "reply-partition",
        topic: "interop-cap-smallrye-2-75920-replies", partition: 1, offset: 0, timestamp: 1_795_376_315_472,
        has_value: true,
        headers: &[
            ("REPLY_CORRELATION_ID", b"5decc5f4-af18-4c31-bdbf-0d6e0cd27b34"),
        ],
    },
];
