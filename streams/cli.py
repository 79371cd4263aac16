"""The command line: `huitou up` runs everything here, `huitou ROLE` one role alone.

Roles are imported by their own command only, so that `version` is quick and a role that can't be
imported harms no other.
"""

import difflib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from streams.playbook_packs_command import list_packs, write_new
from streams.rehearse_command import rehearse
from streams.settings import Settings

WRONG_USE = 2
FAILED = 1
PREFIX = "HUITOU_"
NOT_SETTINGS = {"HUITOU_INSTANCE"}

app = typer.Typer(
    name="huitou",
    help="A real-time engine that makes customers buy again.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where everything is kept.", show_default="data"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]
Speed = Annotated[
    float | None,
    typer.Option(help="Log days per second.", min=0.001, show_default="as fast as it goes"),
]
Days = Annotated[int | None, typer.Option(help="Stop after so many days.", min=1)]
Port = Annotated[int | None, typer.Option(min=1, max=65535)]


def main() -> None:
    """Run the command line; an expected failure is one clear sentence and a code, no traceback."""
    from streams.servers.errors import ServerError  # noqa: PLC0415

    try:
        app()
    except ServerError as error:
        _say(str(error))
        sys.exit(FAILED)


@app.command()
def up(  # noqa: PLR0913  (one option for each thing that can be chosen)
    *,
    data_dir: DataDir = None,
    demo: Annotated[bool, typer.Option("--demo", help="Play a real shop's year.")] = False,
    once: Annotated[
        bool, typer.Option("--once", help="End when the replay is read and drained.")
    ] = False,
    headless: Annotated[bool, typer.Option("--headless", help="Plain lines on stderr.")] = False,
    as_json: AsJson = False,
    workers: Annotated[int | None, typer.Option(min=1, max=64)] = None,
    days: Days = None,
    speed: Annotated[
        float | None,
        typer.Option(
            help="Log days per second of the demo.",
            min=0.001,
            show_default="1; with --once as fast as it goes",
        ),
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Use this broker, start none.")
    ] = None,
    kafka_port: Port = None,
    kafka_controller_port: Port = None,
    valkey_port: Port = None,
    clickhouse_port: Port = None,
    gateway_host: Annotated[str | None, typer.Option()] = None,
    gateway_port: Port = None,
    web_host: Annotated[str | None, typer.Option()] = None,
    web_port: Port = None,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from streams.servers.installation import Wishes, run  # noqa: PLC0415

    settings = _settings(
        data_dir=data_dir,
        workers=workers,
        kafka=kafka,
        kafka_port=kafka_port,
        kafka_controller_port=kafka_controller_port,
        valkey_port=valkey_port,
        clickhouse_port=clickhouse_port,
        gateway_host=gateway_host,
        gateway_port=gateway_port,
        web_host=web_host,
        web_port=web_port,
        awaits_history=demo or None,
    )
    if once and not demo:
        _refuse("--once needs a replay that ends: add --demo")
    for name, meant in unknown_variables().items():
        _say(f"{name} is no setting" + (f"; did you mean {meant}?" if meant else ""))
    if speed is None and not once:
        speed = 1.0
    sys.exit(run(settings, Wishes(demo, once, headless, as_json, speed, days)))


@app.command()
def ps(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the processes of the installation in a data directory."""
    from streams.servers.listing import as_table, entries  # noqa: PLC0415

    found = entries(_settings(data_dir=data_dir))
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        Console().print(as_table(found))


@app.command()
def doctor(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check everything that can be wrong on this machine and say how to mend it."""
    from streams.doctor import as_table, examine  # noqa: PLC0415

    checks = examine(_settings(data_dir=data_dir), unknown_variables())
    if as_json:
        typer.echo(json.dumps([check.as_dict() for check in checks], indent=1))
    else:
        Console().print(as_table(checks))
    sys.exit(0 if all(check.ok for check in checks) else FAILED)


@app.command()
def gateway(data_dir: DataDir = None) -> None:
    """Run the gateway: channels' events in, over HTTP."""
    _run_role("gateway", "streams.gateway", data_dir)


@app.command()
def worker(data_dir: DataDir = None) -> None:
    """Run a worker: events into customers and their consequences."""
    _run_role("worker", "streams.worker", data_dir)


@app.command()
def learner(data_dir: DataDir = None) -> None:
    """Run the learner: lessons into models."""
    _run_role("learner", "streams.learner", data_dir)


@app.command()
def sinks(data_dir: DataDir = None) -> None:
    """Run the sinks: ClickHouse, Redis, messages, alerts."""
    _run_role("sinks", "streams.sink_roles", data_dir)


@app.command()
def web(data_dir: DataDir = None) -> None:
    """Run the live page and the profile API."""
    _run_role("web", "streams.web", data_dir)


@app.command(hidden=True)
def prepare(data_dir: DataDir = None) -> None:
    """Create or mend the topics and the analytics schema; a new log begins with a playbook."""
    with _role("prepare", data_dir) as settings:
        import_module("streams.prepare").begin(settings)


@app.command()
def rebuild(
    processes: Annotated[
        int | None, typer.Option(help="How many at once.", min=1, show_default="one a core")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make the table anew from the whole log, beside the live one, and compare the two."""
    with _role("rebuild", data_dir) as settings:
        found = import_module("streams.rebuild").run(settings, processes=processes)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for name, value in found.items():
            typer.echo(f"{name.replace('_', ' ')}: {value}")


@app.command()
def replay(
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV, JSON lines or Parquet; .gz too.", exists=True, dir_okay=False),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Play a real shop's year.")] = False,
    mapping: Annotated[
        Path | None,
        typer.Option("--map", help="How the file's columns become events.", exists=True),
    ] = None,
    speed: Speed = None,
    days: Days = None,
    data_dir: DataDir = None,
) -> None:
    """Play a history into the log, from where it stopped if it did."""
    if demo == (file is not None):
        _refuse("name a FILE or give --demo, one of the two")
    with _role("replay", data_dir) as settings:
        import_module("streams.replay.command").run(
            settings, file, demo=demo, mapping=mapping, speed=speed, days=days
        )


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="The same seed plays the same shop.")] = 1,
    customers: Annotated[int, typer.Option(min=1)] = 1_000,
    days: Annotated[int, typer.Option(min=1)] = 90,
    speed: Speed = None,
    data_dir: DataDir = None,
) -> None:
    """Play an invented shop into the log; everything of it is labelled as simulated."""
    with _role("simulate", data_dir) as settings:
        import_module("streams.simulate").run(
            settings, seed=seed, customers=customers, days=days, speed=speed
        )


EVALUATE = "evaluate"


@app.command(
    EVALUATE,
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def evaluate(context: typer.Context) -> None:
    """Judge the models on a history, as if it had been live."""
    command = import_module("streams.evaluate.command")
    command.app(context.args, prog_name=f"huitou {EVALUATE}")


deadletters = typer.Typer(help="What could not be taken: list, show, put back.")
app.add_typer(deadletters, name="deadletters", no_args_is_help=True)
Source = Annotated[str, typer.Option(help="gateway, webhook, intake, replay, worker, …")]
Reason = Annotated[str, typer.Option(help="Words of the reason.")]


@deadletters.command("list")
def list_dead_letters(
    source: Source = "", reason: Reason = "", data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """List dead letters, newest first; bodies stay sealed."""
    _dead_letters("list_letters", data_dir, as_json, source=source, reason=reason)


@deadletters.command("show")
def show_dead_letter(letter: str, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show one letter, its body opened by the installation's keys."""
    with _role("deadletters", data_dir) as settings:
        command = import_module("streams.dead_letters_command")
        command.show_letter(settings, letter, as_json=as_json)


@deadletters.command("retry")
def retry_dead_letters(
    letters: Annotated[list[str] | None, typer.Argument(metavar="[LETTER]...")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All that the filters leave.")] = False,
    source: Source = "",
    reason: Reason = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put letters back after a fix; each is counted once, however often this runs."""
    if every == bool(letters):
        _refuse("name LETTERs or give --all, one of the two")
    names = frozenset(letters or ())
    _dead_letters("retry_letters", data_dir, as_json, names=names, source=source, reason=reason)


def _dead_letters(command: str, data_dir: Path | None, as_json: bool, **wanted: Any) -> None:
    with _role("deadletters", data_dir) as settings:
        meant = import_module("streams.dead_letters").Wanted(**wanted)
        run = getattr(import_module("streams.dead_letters_command"), command)
        run(settings, meant, as_json=as_json)


Model = Annotated[str, typer.Option("--model", help="Name of the model: see the list.")]
models = typer.Typer(help="The shared models' versions: list, show, put back.")
app.add_typer(models, name="models", no_args_is_help=True)


@models.command("list")
def list_models(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List every version ever published, which one is in use, and which are refused."""
    with _role("models", data_dir) as settings:
        import_module("streams.models_command").list_versions(settings, as_json=as_json)


@models.command("show")
def show_model(
    version: int, model: Model = "hazard", data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Show what a version knows."""
    with _role("models", data_dir) as settings:
        command = import_module("streams.models_command")
        command.show_version(settings, model, version, as_json=as_json)


@models.command("rollback")
def roll_back_model(
    version: Annotated[
        int | None, typer.Argument(help="The version to use from now on.", show_default=False)
    ] = None,
    *,
    release: Annotated[bool, typer.Option("--release", help="Let newer ones be adopted.")] = False,
    model: Model = "hazard",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put a model back to an earlier version and hold it there, until --release."""
    if release == (version is not None):
        _refuse("name a VERSION or give --release, one of the two")
    with _role("models", data_dir) as settings:
        command = import_module("streams.models_command")
        command.roll_back(settings, model, version or 0, as_json=as_json)


playbook = typer.Typer(help="The playbook: what brings customers back, in one file.")
app.add_typer(playbook, name="playbook", no_args_is_help=True)


@playbook.command("check")
def check_playbook(
    file: Annotated[Path, typer.Argument(help="The playbook's first file.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Tell every mistake at once, with its place and what was probably meant, and every doubt."""
    import_module("streams.playbook_command").check_file(file, as_json=as_json)


Note = Annotated[str, typer.Option("--note", help="What for; it stands in the history.")]


@playbook.command("apply")
def apply_playbook(
    file: Annotated[Path, typer.Argument(help="The playbook's first file.", show_default=False)],
    *,
    note: Note = "",
    based_on: Annotated[
        int | None,
        typer.Option(
            "--based-on",
            min=0,
            help="Refuse if an edition newer than this one was applied meanwhile.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check a playbook and make it the next edition: every worker uses it from now on."""
    with _role("playbook", data_dir) as settings:
        command = import_module("streams.playbook_editions_command")
        command.apply_file(settings, file, note=note, based_on=based_on, as_json=as_json)


@playbook.command("history")
def list_editions(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List every edition, who applied it when and what for, and which is in use."""
    with _role("playbook", data_dir) as settings:
        import_module("streams.playbook_editions_command").history(settings, as_json=as_json)


@playbook.command("show")
def show_edition(
    version: Annotated[
        int | None, typer.Argument(metavar="[N]", help="Its number.", show_default="the one in use")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print an edition's files."""
    with _role("playbook", data_dir) as settings:
        command = import_module("streams.playbook_editions_command")
        command.show(settings, version, as_json=as_json)


@playbook.command("diff")
def diff_editions(
    old: Annotated[str, typer.Argument(metavar="A", help="An edition's number, or a file.")],
    new: Annotated[
        str, typer.Argument(metavar="[B]", help="The same.", show_default="the edition in use")
    ] = "",
    *,
    text: Annotated[bool, typer.Option("--text", help="Line by line instead.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell what differs, rule by rule; a FILE alone is compared with the edition in use."""
    with _role("playbook", data_dir) as settings:
        command = import_module("streams.playbook_editions_command")
        command.diff(settings, old, new, text=text, as_json=as_json)


@playbook.command("rollback")
def roll_back_playbook(
    version: Annotated[int, typer.Argument(metavar="N", help="The edition.")],
    note: Note = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Take an earlier edition into use again, from now on."""
    with _role("playbook", data_dir) as settings:
        command = import_module("streams.playbook_editions_command")
        command.roll_back_to(settings, version, note=note, as_json=as_json)


@playbook.command("fields")
def list_playbook_fields(as_json: AsJson = False) -> None:
    """List what a condition may ask of a customer and of each event."""
    import_module("streams.playbook_command").list_fields(as_json=as_json)


@playbook.command("schema")
def print_playbook_schema() -> None:
    """Print the language as JSON Schema, for editors."""
    import_module("streams.playbook_command").print_schema()


playbook.command("packs")(list_packs)
playbook.command("new")(write_new)


app.command()(rehearse)


@app.command()
def explain(action_id: str, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Tell all about one action: why it was decided so, and what became of it."""
    with _role("explain", data_dir) as settings:
        command = import_module("streams.receipts_command")
        command.explain(settings, action_id, as_json=as_json)


@app.command()
def why(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    rule: Annotated[str, typer.Argument(help="The rule's name in the playbook.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell why a customer got something by a rule, or why not."""
    with _role("why", data_dir) as settings:
        command = import_module("streams.receipts_command")
        command.why(settings, customer, rule, as_json=as_json)


@app.command()
def lift(
    rule: Annotated[str, typer.Option(help="One rule; all when left out.")] = "",
    days: Annotated[int, typer.Option(help="Days after its moment that count: 14 or 30.")] = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell what rules brought, against customers left alone for comparison."""
    from models.lift import WINDOWS_DAYS  # noqa: PLC0415

    if days not in WINDOWS_DAYS:
        _refuse(f"--days: expected {' or '.join(map(str, WINDOWS_DAYS))}")
    with _role("lift", data_dir) as settings:
        import_module("streams.lift_command").run(settings, rule, days, as_json=as_json)


coupons = typer.Typer(help="Coupons: what is out and may yet cost.")
app.add_typer(coupons, name="coupons", no_args_is_help=True)


@coupons.command("liability")
def show_coupon_liability(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Tell by offer how many coupons are open, what they cost at most, what others cost."""
    with _role("coupons", data_dir) as settings:
        import_module("streams.coupons_command").show_liability(settings, as_json=as_json)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"huitou {package_version('huitou')}")


def unknown_variables() -> dict[str, str]:
    """Find HUITOU_* variables that are no setting, each with the name that was probably meant."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(
        name for name in os.environ if name.startswith(PREFIX) and name not in known | NOT_SETTINGS
    )
    return {name: next(iter(difflib.get_close_matches(name, known, 1)), "") for name in unknown}


def _run_role(role: str, module: str, data_dir: Path | None) -> None:
    with _role(role, data_dir) as settings:
        import_module(module).run(settings)


@contextmanager
def _role(role: str, data_dir: Path | None) -> Iterator[Settings]:
    """Set up logging; what a role dies of is written without personal data."""
    from streams.logging import cleaned, configure  # noqa: PLC0415
    from streams.servers.errors import ServerError  # noqa: PLC0415

    settings = _settings(data_dir=data_dir)
    configure(role, settings.log_level)
    try:
        yield settings
    except ServerError:
        raise
    except Exception:
        sys.stderr.write(cleaned(traceback.format_exc()))
        sys.exit(FAILED)


def _settings(**options: Any) -> Settings:
    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        _refuse("\n".join(problems(error)))
    except SettingsError as error:
        _refuse(unreadable(error))
    return settings.model_copy(update={"data_dir": settings.data_dir.resolve()})


def problems(error: ValidationError) -> list[str]:
    """Put each problem into one line: the variable, its value unless secret, what was expected."""
    lines = []
    for problem in error.errors():
        text = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:
            lines.append(text)
            continue
        field = str(problem["loc"][0])
        shown = "" if _is_secret(field) else f"={problem['input']}"
        lines.append(f"{PREFIX}{field.upper()}{shown}: {text}")
    return lines


def unreadable(error: SettingsError) -> str:
    """Name the variable whose JSON can't be read; its value may be a secret."""
    fields = (name for name in Settings.model_fields if f'"{name}"' in str(error))
    return f"{PREFIX}{next(fields, '*').upper()}: expected JSON ({error.__cause__})"


def _is_secret(field: str) -> bool:
    info = Settings.model_fields.get(field)
    return info is None or SecretStr.__name__ in str(info.annotation)


def _refuse(text: str) -> NoReturn:
    _say(text)
    sys.exit(WRONG_USE)


def _say(text: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(text, markup=False)


if __name__ == "__main__":
    main()
