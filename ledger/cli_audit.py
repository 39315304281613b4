"""The commands of `arena audit`; the work is done in `ledger.audit`.

Exit codes: 0, 1 if a check fails, 2 for wrong usage, 3 if the broker does not answer.
"""

import json
import os
import sys
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from arena.errors import EXIT_NO, UsageError
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import print_note
from arena.plural import counted

SECRET_VARIABLES = (
    "OPENAI_API_KEY",
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SSL_KEY_PASSWORD",
)
"""Variables whose values, if set, are searched for in every record."""

audit_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RunOrFolder = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN|DIR]",
        help="Name or directory of a run, last~1, a folder of records, or a sealed bundle. "
        "[the newest run]",
    ),
]
Live = Annotated[
    bool,
    typer.Option("--live", help="Read the present topics, with --bootstrap-servers and --prefix."),
]


@audit_app.command(epilog="Example: arena audit verify last")
def verify(
    run_or_folder: RunOrFolder = None,
    live: Live = False,
    secret_env: Annotated[
        list[str] | None,
        typer.Option(
            "--secret-env",
            metavar="NAME",
            help="A variable whose value no record may contain, besides "
            + ", ".join(SECRET_VARIABLES)
            + ".",
        ),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option("--replay/--no-replay", help="Replay everything, for invariant 8."),
    ] = True,
    books: Annotated[
        str | None,
        typer.Option(
            "--books", metavar="URL", help="Address of the books to compare. [ledger.db of the run]"
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="HEX", help="Public key that must have signed the bundle."),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(
            "--seal-sha256", metavar="HEX", help="Expected SHA-256 of the seal of the bundle."
        ),
    ] = None,
    as_json: AsJson = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Check the thirteen invariants on records, and report what was checked."""
    from arena.progress_bars import draw_progress
    from ledger.audit.replay import replay as replay_source
    from ledger.audit.sources import open_source
    from ledger.audit.verify import after_quiet, audit, check_bundle, lines

    run_or_folder = _only_one(run_or_folder, run)
    names = (*SECRET_VARIABLES, *(secret_env or ()))
    secrets = {name: os.environ[name] for name in names if os.environ.get(name)}
    with (
        draw_progress() as progress,
        open_source(
            run_or_folder, live=live, servers=servers, prefix=prefix, progress=after_quiet(progress)
        ) as source,
    ):
        check = check_bundle(source, key, sha256, after_quiet(progress))
        again = replay_source if replay else None
        found = audit(
            source, secrets=secrets, replay=again, check=check, books=books, progress=progress
        )
    print(json.dumps(found.document(), indent=2) if as_json else "\n".join(lines(found)))
    if found.failed:
        sys.exit(EXIT_NO)


@audit_app.command(epilog="Example: arena audit replay last")
def replay(run_or_folder: RunOrFolder = None, as_json: AsJson = False, run: Run = None) -> None:
    """Replay recorded turns and orders in other processes with other hash seeds.

    Exit code 1 if prompts, requests, tool calls, account events or the account hash differ.
    """
    from arena.progress_bars import draw_progress
    from ledger.audit.replay import replay as replay_source
    from ledger.audit.sources import open_source
    from ledger.audit.verify import account_digest, after_quiet, result_document, result_lines

    with (
        draw_progress() as progress,
        open_source(_only_one(run_or_folder, run), progress=after_quiet(progress)) as source,
    ):
        result = replay_source(source, account_digest(source), after_quiet(progress))
        name = source.name
    if as_json:
        print(json.dumps({"source": name, **result_document(result)}, indent=2))
    else:
        print("\n".join([name, *result_lines(result)]))
    if result.failures:
        sys.exit(EXIT_NO)


@audit_app.command(epilog="Example: arena audit export sealed --sign audit.pem")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to create.")],
    run: Annotated[
        str | None,
        typer.Option("--run", help="Run, folder of records, or last~1. [the newest run]"),
    ] = None,
    live: Live = False,
    sign: Annotated[
        Path | None, typer.Option("--sign", metavar="KEYFILE", help="Sign with this ed25519 key.")
    ] = None,
    as_json: AsJson = False,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Seal the records: Parquet per topic, a hash per record, a chain, a signature."""
    from arena.progress_bars import draw_progress
    from ledger.audit.seal import seal
    from ledger.audit.signing import Signer
    from ledger.audit.sources import open_source
    from ledger.audit.verify import after_quiet

    signer = None if sign is None else Signer.read(sign)
    with (
        draw_progress() as progress,
        open_source(
            run, live=live, servers=servers, prefix=prefix, progress=after_quiet(progress)
        ) as source,
    ):
        sealed, digest = seal(source, folder, signer=signer, progress=after_quiet(progress))
    document = {
        "folder": str(folder),
        "source": sealed.source,
        "records": sealed.count,
        "topics": len(sealed.topics),
        "seal_sha256": digest,
        "signed_by": sealed.signed_by,
    }
    if as_json:
        print(json.dumps(document, indent=2))
        return
    held = f"{counted(sealed.count, 'record')} of {counted(len(sealed.topics), 'topic')}"
    print(f"{held} of {sealed.source}: {folder}")
    print(f"seal: SHA-256 {digest}")
    signed = f"signed by ed25519 {sealed.signed_by}" if sealed.signed_by else "not signed"
    print(f"seal: {signed}")


@audit_app.command(epilog="Example: arena audit keygen audit.pem")
def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="New file for the key.")],
) -> None:
    """Create an ed25519 key to sign seals; only the owner can read the file."""
    from ledger.audit.signing import new_key

    print(new_key(file))
    print_note(f"the line above is the public key, for --key; the private key is in {file}")


@audit_app.command(epilog="Example: arena audit trace --random")
def trace(
    order_id: Annotated[
        str | None, typer.Argument(metavar="[ORDER_ID]", help="Order id, or the beginning of it.")
    ] = None,
    run_or_folder: RunOrFolder = None,
    random_: Annotated[bool, typer.Option("--random", help="Trace a random filled order.")] = False,
    frames: Annotated[
        Path | None,
        typer.Option("--frames", help="Recorded raw frames. [in the directory of the run]"),
    ] = None,
    live: Live = False,
    as_json: AsJson = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
) -> None:
    """Trace an order back: turn, reply, request, snapshot, tickers, bytes of the venue.

    With --random the only argument is the run or folder.
    """
    from arena.progress_bars import draw_progress
    from ledger.audit.sources import open_source
    from ledger.audit.trace import trace as trace_order
    from ledger.audit.trace_format import document, lines
    from ledger.audit.trace_records import order_ids
    from ledger.audit.verify import after_quiet

    if random_ and run_or_folder is None:
        order_id, run_or_folder = None, order_id
    if (order_id is None) != random_:
        raise UsageError("no order is named", remedy="write its id, or --random")
    run_or_folder = _only_one(run_or_folder, run)
    with (
        draw_progress() as progress,
        open_source(
            run_or_folder, live=live, servers=servers, prefix=prefix, progress=after_quiet(progress)
        ) as source,
    ):
        if order_id is None:
            if not (known := order_ids(source)):
                raise UsageError(f"{source.name} has no orders")
            order_id = Random().choice(known)
        steps = trace_order(source, order_id, frames)
        trace_document = document(source, order_id, steps)
    print(json.dumps(trace_document, indent=2) if as_json else "\n".join([order_id, *lines(steps)]))
    if not trace_document["ok"]:
        sys.exit(EXIT_NO)


@audit_app.command(epilog="Example: arena audit compare last~1 last")
def compare(
    before: Annotated[str, typer.Argument(metavar="RUN|DIR", help="A run, as for `verify`.")],
    after: Annotated[str, typer.Argument(metavar="RUN|DIR", help="The other run.")],
    as_json: AsJson = False,
) -> None:
    """Compare all records of two runs of one contest, such as a backtest and the run over Kafka.

    Wall time, durations, processes and the order of different agents do not count. Exit code 1 if
    anything else differs.
    """
    from arena.progress_bars import draw_progress
    from arena.tables import print_table
    from ledger.audit.compare_text import COLUMNS, document, is_same, remarks, table_rows
    from ledger.audit.same_records import compare_records
    from ledger.audit.sources import open_source, reader_of
    from ledger.audit.verify import after_quiet

    with (
        draw_progress() as progress,
        open_source(before, progress=after_quiet(progress)) as first,
        open_source(after, progress=after_quiet(progress)) as second,
    ):
        names = list(dict.fromkeys((*first.topics(), *second.topics())))
        found = compare_records(names, reader_of(first), reader_of(second))
    if as_json:
        print(json.dumps(document(first.name, second.name, found), indent=2))
    else:
        print(f"first: {first.name}\nsecond: {second.name}")
        print_table(COLUMNS, table_rows(found), remarks=remarks(found))
    if not is_same(found):
        sys.exit(EXIT_NO)


def _only_one(run_or_folder: str | None, run: str | None) -> str | None:
    """Return what to read: the argument or `--run`.

    Raises:
        UsageError: Both are given.
    """
    if run_or_folder is not None and run is not None:
        raise UsageError(
            f"{run_or_folder!r} and --run {run!r} both say what to read", remedy="give one"
        )
    return run_or_folder if run is None else run
