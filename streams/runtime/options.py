"""The settings as options of the clients: Faust's, and the worker's own."""

from __future__ import annotations

from typing import Any

import faust
from faust.types.auth import CredentialsT

from streams.connection import Connection
from streams.runtime.table.user_table import UserTable
from streams.runtime.transport.transport import SCHEME, BatchTopic
from streams.settings import Settings
from streams.settings.logs import logging_config


def client_options(settings: Settings) -> dict[str, Any]:
    """Options that all of the worker's own Kafka clients share.

    Raises:
        SettingsError: a certificate, key or password file can't be used.
    """
    return {
        **settings.kafka.connection().python_options(),
        "bootstrap_servers": list(settings.kafka.bootstrap),
        "client_id": settings.kafka.client_id,
        "request_timeout_ms": int(settings.kafka.request_timeout_s * 1000),
    }


def credentials(connection: Connection) -> CredentialsT | None:
    """How Faust's own clients log in; None over plaintext."""
    context = connection.ssl_context()
    if connection.is_sasl:
        return faust.SASLCredentials(
            username=connection.username,
            password=connection.secret(),
            ssl_context=context,
            mechanism=connection.sasl_mechanism,
        )
    return faust.SSLCredentials(context) if context else None


def faust_options(settings: Settings) -> dict[str, Any]:
    """Our settings as Faust's."""
    kafka = settings.kafka
    return {
        "broker": [f"{SCHEME}://{address}" for address in kafka.bootstrap],
        "broker_credentials": credentials(kafka.connection()),
        "store": "memory://" if settings.service.store == "memory" else "rocksdb://",
        "datadir": str(settings.service.state_dir),
        "autodiscover": False,
        "Topic": BatchTopic,
        "Table": UserTable,
        "topic_allow_declare": kafka.create_topics,
        "topic_disable_leader": True,
        "topic_partitions": settings.events.partitions,
        "topic_replication_factor": kafka.replication_factor,
        "table_standby_replicas": 0,
        "broker_client_id": kafka.client_id,
        "broker_session_timeout": kafka.session_timeout_s,
        "broker_heartbeat_interval": kafka.heartbeat_interval_s,
        "broker_rebalance_timeout": kafka.rebalance_timeout_s,
        "broker_request_timeout": kafka.request_timeout_s,
        "broker_max_poll_records": settings.service.batch_records,
        "broker_commit_interval": 1.0,
        "consumer_max_fetch_size": kafka.max_partition_fetch_bytes,
        "consumer_auto_offset_reset": "earliest",
        "stream_buffer_maxsize": 64,
        "stream_recovery_delay": 0.0,
        "web_host": settings.http.host,
        "web_bind": settings.http.host,
        "web_port": settings.http.port,
        "web_in_thread": False,
        # Faust's own pages show what is stored under any key, and where.
        "web_tables_enabled": False,
        "web_router_enabled": False,
        "web_stats_enabled": False,
        "web_graph_enabled": False,
        "web_metrics_enabled": False,
        # For Faust's own command, which sets the root logger to DEBUG: an eighth of the time.
        "logging_config": logging_config(settings.service.log_level),
    }
