"""What a Kafka client of the storm itself may fail with while brokers die: it is replaced.

aiokafka does not only raise its own errors then. Without metadata of a topic, a send fails with
AssertionError or TypeError, and the admin client loses the node it asks: AttributeError.
"""

from aiokafka.errors import KafkaError

TROUBLE = (
    KafkaError,
    TimeoutError,
    OSError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
