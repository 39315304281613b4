"""Cause and remedy for each kind of error of the Kafka client. Pure.

The client names its errors after the protocol (`[Error 19] NotEnoughReplicasError`). Each known
kind has an explanation here; an unknown kind is described by its name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from arena.visible_text import one_line

NAMES_MAX = 8
NAME_CHARS_MAX = 120
_NUMBERED = re.compile(r"^(\[Error -?\d+\] \w+|\w+(Error|Exception))(: |$)")
_RUNS = "check that the broker runs: `arena broker status`, `arena topics describe`"
_LOGIN = "check KAFKA_SASL_USERNAME, its password and KAFKA_SECURITY_PROTOCOL"
_MAY = "`arena topics acl` shows who may; check KAFKA_SASL_USERNAME of this process"
_AGAIN = "try again in a moment; `arena broker status` shows the brokers"


@dataclass(frozen=True, slots=True)
class KafkaExplanation:
    """Explanation of a kind of error.

    Attributes:
        cause: The cause; "{named}" is replaced by the topics or groups of the error.
        remedy: What to do.
        is_usage: True if a setting of this process is wrong.
    """

    cause: str
    remedy: str
    is_usage: bool = False


_KINDS: tuple[tuple[tuple[str, ...], KafkaExplanation], ...] = (
    (
        ("TopicAuthorization",),
        KafkaExplanation("the brokers do not let this login use the topic {named}", _MAY, True),
    ),
    (
        ("GroupAuthorization",),
        KafkaExplanation("the brokers do not let this login join the group {named}", _MAY, True),
    ),
    (
        ("Authorization",),
        KafkaExplanation("the brokers do not let this login do that on the cluster", _MAY, True),
    ),
    (
        ("AuthenticationFailed",),
        KafkaExplanation("the brokers do not know this login", _LOGIN, True),
    ),
    (
        ("AuthenticationMethod", "Sasl", "DelegationToken", "SecurityDisabled", "Principal"),
        KafkaExplanation("the brokers do not take this kind of login", _LOGIN, True),
    ),
    (
        ("UnknownTopic", "InvalidTopic"),
        KafkaExplanation(
            "the brokers do not have the topic {named}",
            "`arena topics create` creates the topics; check ARENA_PREFIX",
        ),
    ),
    (
        ("NotEnoughReplicas",),
        KafkaExplanation(
            "too few replicas are in sync to ack a record",
            "start the brokers that are down: `arena broker start`",
        ),
    ),
    (
        ("Policy", "InvalidReplication", "InvalidPartitions", "InvalidConfiguration",
         "InvalidSessionTimeout", "InvalidTransactionTimeout"),
        KafkaExplanation("the brokers refuse the request: {detail}", "check their settings"),
    ),
    (("Timeout", "TimedOut"), KafkaExplanation("the brokers did not answer in time", _RUNS)),
    (
        ("KafkaConnection", "NodeNotReady", "NoBrokers", "MetadataEmpty", "KafkaUnavailable",
         "BrokerNotAvailable"),
        KafkaExplanation("no broker can be reached", _RUNS),
    ),
    (
        ("Leader", "Controller", "Coordinator", "CoordinatorLoad", "GroupLoad", "Replica",
         "ReassignmentInProgress", "Listener", "StaleMetadata"),
        KafkaExplanation("the brokers are electing a leader or coordinator", _AGAIN),
    ),
    (
        ("Sequence", "UnknownProducerId", "ProducerEpoch", "ProducerId", "ProducerFenced"),
        KafkaExplanation(
            "the brokers do not know the last append of this process",
            "start the process again: it continues from the log",
        ),
    ),
    (
        ("Generation", "UnknownMember", "MemberId", "Rebalance", "CommitFailed", "GroupProtocol"),
        KafkaExplanation(
            "the group gave this process's partitions to another process",
            "start the process again: it continues from the log",
        ),
    ),
    (
        ("TooLarge", "CommitOffsetSize"),
        KafkaExplanation(
            "a record is larger than the brokers take",
            "raise message.max.bytes of the brokers to the value that `arena broker start` sets",
        ),
    ),
    (
        ("Storage", "LogDir"),
        KafkaExplanation(
            "a broker cannot use its disk", "free space on that disk, and start it again"
        ),
    ),
    (
        ("CorruptRecord", "InvalidMessage", "InvalidFetchRequest"),
        KafkaExplanation(
            "a record arrived damaged", "check the network and the disks of the brokers"
        ),
    ),
    (
        ("Unsupported", "BrokerVersion"),
        KafkaExplanation(
            "a broker does not support the required protocol",
            "it must be Apache Kafka 2.1 or newer, or compatible",
        ),
    ),
    (
        ("OffsetOutOfRange", "NoOffset"),
        KafkaExplanation(
            "the log does not have the offset to read from",
            "`arena topics describe` shows the topic's offsets",
        ),
    ),
)  # fmt: skip


def explain_kafka_error(error: BaseException) -> KafkaExplanation:
    """Cause and remedy of an error of the client library."""
    name, detail = type(error).__name__, one_line(_detail(error), NAME_CHARS_MAX)
    named = ", ".join(list(_names(error.args))[:NAMES_MAX]) or "that was asked for"
    for parts, found in _KINDS:
        if any(part in name for part in parts):
            cause = found.cause.replace("{named}", named).replace(
                "{detail}", detail or "without a reason"
            )
            return KafkaExplanation(cause, found.remedy, found.is_usage)
    plain = re.sub(
        r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Error").removesuffix("Exception")
    )
    says = f"Kafka error {plain.lower()!r}" if plain != "Kafka" else "the Kafka client failed"
    return KafkaExplanation(f"{says}{': ' if detail else ''}{detail}", _RUNS)


def _detail(error: BaseException) -> str:
    """The text of an error without its number and class; "" if it has none."""
    try:
        return _NUMBERED.sub("", str(error))
    except AttributeError:
        return ""


def _names(args: tuple[object, ...]) -> Iterator[str]:
    """The topics and groups in an error's arguments."""
    for arg in args:
        if isinstance(arg, str):
            yield one_line(arg, NAME_CHARS_MAX)
        elif isinstance(arg, set | frozenset | list | tuple):
            yield from _names(tuple(sorted(map(str, arg))))
