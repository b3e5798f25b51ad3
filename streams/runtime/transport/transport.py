"""A Faust transport that hands over partition batches, and commits what was acknowledged.

Stock Faust spends about 100 µs of asyncio on each record. Here one message carries all
records of a partition that one fetch brought; its offset is that of the last record, so the
rest of Faust (group, assignor, tables, recovery, web) works as it is. Registered through
Faust's entry-point group ``faust.transports`` under the scheme of :data:`SCHEME`.
"""

from __future__ import annotations

from typing import Final

from faust.transport.drivers import aiokafka as driver

from streams.runtime.transport.consumer import BatchConsumer

SCHEME: Final = "interest-stream"


class BatchTransport(driver.Transport):
    """aiokafka's transport with batches."""

    Consumer = BatchConsumer
