"""`kerp score`: what a set of answers comes to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerp.cli.output import echo_json, json_option

if TYPE_CHECKING:
    from kerp.instrument.model import Instrument
    from kerp.instrument.outcome import Verdict
    from kerp.instrument.score import Score


@click.command()
@click.argument("instrument_id", metavar="INSTRUMENT")
@click.option("--answers", required=True, metavar="FILE", help="JSON or TOML: item id to number; null is no answer.")
@click.option("--baseline", metavar="FILE", help="Answers before treatment: also evaluates the outcome rules.")
@click.option("--cgi-i", type=click.IntRange(1, 7), help="CGI-I now.")
@click.option("--cgi-s", type=click.IntRange(1, 7), help="CGI-S now.")
@click.option("--held-days", type=click.FloatRange(min=0), help="For how many days the present state has lasted.")
@click.option("--text-packs", metavar="FOLDER", help="The site's wording; its digest is shown with the score.")
@json_option
def score(
    instrument_id: str,
    answers: str,
    baseline: str | None,
    cgi_i: int | None,
    cgi_s: int | None,
    held_days: float | None,
    text_packs: str | None,
    as_json: bool,
) -> None:
    """Score the answers to an instrument. A missing answer is never a zero.

    \b
    Example: kerp score ybocs --answers day7.json --baseline day-7.json --cgi-i 2 --held-days 7
    """  # noqa: D301  click reads the backspace
    from kerp.instrument.answers import read_answers
    from kerp.instrument.load import load_instrument
    from kerp.instrument.score import score as score_answers

    instrument = load_instrument(instrument_id)
    result = score_answers(instrument, read_answers(answers, instrument))
    before = score_answers(instrument, read_answers(baseline, instrument)) if baseline else None
    outcomes = _outcomes(before, result, cgi_i, cgi_s, held_days) if before else ()
    wording = _wording(text_packs, instrument_id) if text_packs else {}
    if as_json:
        extra: dict[str, Any] = {"reference_period": instrument.period.text} | wording
        echo_json(_plain(result) | extra | ({"outcomes": outcomes} if before else {}))
    else:
        _print(instrument, result, outcomes, wording)


def _plain(result: Score) -> dict[str, Any]:
    from kerp.base.digest import plain

    found: dict[str, Any] = plain(result)
    return found


def _outcomes(
    before: Score, now: Score, cgi_i: int | None, cgi_s: int | None, held_days: float | None
) -> tuple[Verdict, ...]:
    from kerp.base.errors import Fault, KerpError
    from kerp.instrument.outcome import Course, evaluate, reading
    from kerp.instrument.outcome_load import load_outcome, outcome_ids

    chosen = [rules for name in outcome_ids() if (rules := load_outcome(name)).instrument == now.instrument]
    if not chosen:
        ways = ("score ybocs, for which they are defined", "leave --baseline out")
        raise KerpError(
            Fault(f"no outcome rules are defined for {now.instrument}", field="--baseline", ways_out=ways)
        )
    course = Course(baseline=reading(before), now=reading(now), cgi_i=cgi_i, cgi_s=cgi_s, held_days=held_days)
    return tuple(verdict for rules in chosen for verdict in evaluate(rules, course))


def _wording(folder: str, instrument_id: str) -> dict[str, Any]:
    from kerp.base.errors import Fault, KerpError
    from kerp.instrument.textpack import load_text_packs

    packs = load_text_packs(Path(folder))
    if instrument_id not in packs:
        raise KerpError(Fault(f"no text pack for {instrument_id}", folder, found=", ".join(packs)))
    return {"text_pack": {"language": packs[instrument_id].language, "digest": packs[instrument_id].digest}}


def _print(instrument: Instrument, result: Score, outcomes: tuple[Verdict, ...], wording: dict[str, Any]) -> None:
    click.echo(f"{instrument.short_name} ({instrument.version}), period: {instrument.period.text}")
    click.echo(f"  total: {_total(instrument, result)}")
    if result.band:
        click.echo(f"  band: {result.band.label} [{result.band.source}, {result.band.mark}]")
    for band in result.other_bands:
        click.echo(f"  also: {band.label} [{band.source}, {band.mark}]")
    for part in result.subscales:
        click.echo(f"  {part.label}: {'not computed' if part.value is None else f'{part.value:g}'}")
    for flag in result.flags:
        click.echo(f"  FLAG: {flag.text} [{flag.source}, {flag.mark}]")
    for warning in result.warnings:
        click.echo(f"  warning: {warning}")
    if wording:
        click.echo(f"  wording: {wording['text_pack']['language']}, {wording['text_pack']['digest']}")
    if outcomes:
        _print_outcomes(outcomes)


def _print_outcomes(outcomes: tuple[Verdict, ...]) -> None:
    click.echo("Outcome, each with its definition; the consensus stands first")
    for verdict in outcomes:
        why = f" (not known: {', '.join(verdict.unknown)})" if verdict.unknown else ""
        click.echo(f"  {verdict.rules}, {verdict.label}: {verdict.words.upper()}{why}")
        click.echo(f"      {verdict.definition} [{verdict.source}, {verdict.mark}]")


def _total(instrument: Instrument, result: Score) -> str:
    span = instrument.total_range
    if span is None:
        return "none: a form, not a scale"
    low, high = span
    if result.total is not None:
        return f"{result.total:g} of {low:g} to {high:g}"
    return f"withheld; between {result.lowest:g} and {result.highest:g}, depending on the missing answers"
