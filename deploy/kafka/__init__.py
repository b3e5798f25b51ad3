"""Apache Kafka from its jars: the real broker for tests and local runs, without Docker.

    with KafkaServer() as kafka:
        producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)

Needs Java 17 or later, and Maven once, to fetch the jars. ``python -m deploy.kafka`` runs one in
the foreground, or around a command.

In: nothing but options; out: a server, or a cluster, on 127.0.0.1.
May import: ``streams.errors``.
"""

from deploy.kafka.cluster import KafkaCluster
from deploy.kafka.errors import KafkaServerError, MissingToolError
from deploy.kafka.server import KafkaServer

__all__ = ["KafkaCluster", "KafkaServer", "KafkaServerError", "MissingToolError"]
