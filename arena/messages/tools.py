"""Tool calls of agents, commands to their accounts, and the results."""

from pydantic import Field, JsonValue

from arena.messages.base import SOURCE_FIELD, Message, MessagePart, Utc, is_empty
from arena.money import WireDecimal

TRADE_TOOL = "execute_trade"
"""The tool whose calls are orders."""
EXIT_TOOL = "set_exit"
CANCEL_TOOL = "cancel_order"
DECIDED_TOOLS = (TRADE_TOOL, EXIT_TOOL, CANCEL_TOOL)
"""The tools of which the executor decides every call by an event in the account log."""
ORDER_TOOLS = (EXIT_TOOL, CANCEL_TOOL, "list_orders")
"""Tools for limit orders and exits. A strategy that names one of them also sees the arguments of
`execute_trade` for limits, exits and expiry; to others they are not shown."""
PORTFOLIO_TOOL = "get_portfolio"
"""The tool that shows an agent its account."""


class QuoteSeen(MessagePart):
    """The best prices of a product in the agent's snapshot."""

    bid: WireDecimal
    ask: WireDecimal


class ToolCall(Message):
    """One tool call of a turn: to `tools.calls`, or to `account.commands` for account tools.

    Attributes:
        call_id: `arena.ids.tool_call_id(turn_id, round, index)`; the order id of a trade.
        index: Position of the call in the model's answer.
        arguments: The JSON text exactly as the model wrote it.
        snapshot_id: The agent's snapshot.
        ticker_offsets: Offsets of that snapshot: the executor first reads `market.tickers` up to
            here.
        candle_offsets: Offsets of that snapshot: tools that use candles first read `market.candles`
            up to here, and use nothing after it.
        quotes_seen: Product -> prices in that snapshot, for products in the arguments.
        deadline_at: Wall time after which the call must not be carried out.
        reply_to: Topic of the result: `agent.inbox.<agent>`.
    """

    call_id: str
    agent: str
    turn_id: str
    round: int
    index: int
    tool: str
    arguments: str
    snapshot_id: str
    ticker_offsets: dict[int, int] = Field(default_factory=dict)
    candle_offsets: dict[int, int] = Field(default_factory=dict, exclude_if=is_empty)
    quotes_seen: dict[str, QuoteSeen] = Field(default_factory=dict)
    issued_at: Utc
    deadline_at: Utc
    reply_to: str


class OpenAccount(Message):
    """Ask the executor to open the account of an agent; harmless if it is open already.

    Attributes:
        scrape: Share of every realised profit to set aside, from 0 to 1; None for none.
    """

    call_id: str
    agent: str
    scrape: WireDecimal | None = None
    issued_at: Utc


class ToolOffered(Message):
    """A tool that the tools process offers, on the roster under the key "tool/<name>".

    Attributes:
        parameters: JSON schema of the arguments object.
        touches_account: True if calls go to `account.commands` and run in the account's single
            writer; False if they go to `tools.calls`.
        source: Folder and file name of a plugin; "" for a built-in tool.
        source_sha256: SHA-256 of that file.
    """

    name: str
    description: str
    parameters: dict[str, JsonValue]
    touches_account: bool
    source: str = SOURCE_FIELD
    source_sha256: str = SOURCE_FIELD
    at: Utc


class ToolResult(Message):
    """The answer to a `ToolCall`.

    Attributes:
        ok: False if the tool refused or failed; `text` then has the reason and the remedy.
        text: Text for the model.
        value: The same result for programs.
        error: A listed reason such as "insufficient_cash", or "".
        account_seq: Sequence number of its account event, or None.
    """

    call_id: str
    agent: str
    turn_id: str
    round: int
    index: int
    tool: str
    ok: bool
    text: str
    value: JsonValue = None
    error: str = ""
    account_seq: int | None = None
