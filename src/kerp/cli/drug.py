"""`kerp drug`: concentration, effect, forecast."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from kerp.base.errors import Fault, KerpError
from kerp.cli.output import echo_json, echo_table, json_option

if TYPE_CHECKING:
    from kerp.drug.events import Doses
    from kerp.drug.kinetics import Exposure
    from kerp.drug.model import DrugModel
    from kerp.drug.simulation import Request, Simulation


@click.group()
def drug() -> None:
    """Ketamine and esketamine: concentration, effect, forecast (model output, never a gate).

    Example: kerp drug simulate --model kamp2020 --dose-mg 35 --duration-min 40 --weight-kg 70
    """


@drug.command("models")
@json_option
def models_command(as_json: bool) -> None:
    """Concentration models: drug, sampling site, routes, what must be said with them.

    \b
    Example: kerp drug models --json
    """  # noqa: D301  click wants the backspace character itself
    from kerp.drug.model import load_model, model_ids

    models = [load_model(model_id) for model_id in model_ids()]
    if as_json:
        echo_json([_described(model) for model in models])
        return
    rows = [(m.id, m.agent, m.sampling_site, ", ".join(m.routes), ", ".join(m.analytes)) for m in models]
    echo_table(("model", "drug", "sampling site", "routes", "gives"), rows)


@drug.command("simulate")
@click.option("--model", "model_id", required=True, help="Concentration model; `kerp drug models` lists them.")
@click.option("--dose-mg", type=float, help="Dose of the infusion, or of all nasal devices (28, 56, 84).")
@click.option("--duration-min", type=float, help="Length of the infusion.")
@click.option("--devices", type=int, help="Number of nasal devices, instead of a dose.")
@click.option("--device-gap-min", type=float, help="Minutes between devices [default: the label's].")
@click.option("--weight-kg", type=float, default=70.0, show_default=True)
@click.option("--age", "age_years", type=float, default=40.0, show_default=True)
@click.option("--ancestry", default="caucasian", show_default=True, help="caucasian, asian or japanese.")
@click.option("--at", help="Minutes to report, for example 10,20,40 [default: 0 to 240 by 5; by 1 in a picture].")
@click.option("--pause", "pauses", multiple=True, metavar="FROM:TO", help="Pump stands still; the rest comes later.")
@click.option("--stop-at", type=float, help="Administration ends here; the rest is not given.")
@click.option("--analyte", default="", help="An enantiomer or metabolite instead of the main analyte.")
@click.option("--link", default="pd_default_exploratory", show_default=True, help="Felt-effect link.")
@click.option("--population", type=int, default=0, help="Draw so many people and show bands.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--summary", "with_summary", is_flag=True, help="Add Cmax, Tmax and 24-h area of the typical person.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
@click.option("--plot", type=click.Path(), help="Write a picture (SVG, PNG, PDF) instead of a table.")
@json_option
def simulate_command(
    *, at: str | None, with_summary: bool, as_csv: bool, plot: str | None, as_json: bool, **asked: Any
) -> None:
    """Concentration and felt effect of what is given; population bands if asked for.

    \b
    Example: kerp drug simulate --model kamp2020 --dose-mg 35 --duration-min 40 --weight-kg 70 --at 10,20,40 --json
    Example: kerp drug simulate --model perezruixo2021 --devices 3 --age 40 --ancestry japanese --summary
    Example: kerp drug simulate --model kamp2020 --dose-mg 35 --duration-min 40 --population 999 --plot iv.svg
    """  # noqa: D301  click wants the backspace character itself
    from kerp.drug.simulation import simulate, summary

    if sum((as_json, as_csv)) > 1:
        raise KerpError(Fault("choose one of --json and --csv"))
    request, warnings = _request(_times(at, 1 if plot else 5), asked)
    simulation = simulate(request)
    exposure = summary(request) if with_summary else None
    if plot:
        from kerp.report.concentration import save_plot

        save_plot(simulation, plot)
        click.echo(f"picture written to {plot}", err=True)
    for warning in warnings:
        click.echo(f"kerp: warning: {warning}", err=True)
    if as_json:
        echo_json(_as_data(simulation, exposure, warnings))
    elif as_csv:
        _echo_csv(simulation)
    elif not plot or exposure:
        _echo_people(simulation, exposure)


def _request(times_min: tuple[float, ...], asked: dict[str, Any]) -> tuple[Request, list[Fault]]:
    """The request and what to warn of; every fault of the options before anything is computed."""
    from kerp.drug.model import load_model
    from kerp.drug.simulation import Request

    model = load_model(asked["model_id"])
    doses, warnings = _doses(model, asked)
    for pause in asked["pauses"]:
        from kerp.drug.events import pause as paused

        doses = paused(doses, *_span(pause))
    if asked["stop_at"] is not None:
        from kerp.drug.events import stop

        doses = stop(doses, _finite("--stop-at", asked["stop_at"]))
    request = Request(
        model=model,
        doses=doses,
        times_min=times_min,
        weight_kg=asked["weight_kg"],
        age_years=asked["age_years"],
        ancestry=asked["ancestry"],
        population=asked["population"],
        seed=asked["seed"],
        analyte=asked["analyte"],
        link=asked["link"],
    )
    return request, warnings


def _doses(model: DrugModel, asked: dict[str, Any]) -> tuple[Doses, list[Fault]]:
    """An infusion where a duration is given, otherwise devices."""
    if asked["duration_min"] is not None:
        if asked["devices"] is not None or asked["dose_mg"] is None:
            raise KerpError(Fault("an infusion needs --dose-mg and --duration-min, and no --devices"))
        return _infusion(asked)
    if "nasal_spray" in model.routes:
        return _sprays(asked)
    raise KerpError(
        Fault(f"{model.id} is given by infusion", field="--duration-min", ways_out=("add --duration-min",))
    )


def _infusion(asked: dict[str, Any]) -> tuple[Doses, list[Fault]]:
    from kerp.drug.events import infusion
    from kerp.drug.route import dose_fault, load_route

    doses = infusion(asked["dose_mg"], asked["duration_min"])
    fault = dose_fault(load_route("iv_infusion"), round(asked["dose_mg"] / asked["weight_kg"], 9))
    return doses, [fault] if fault and asked["dose_mg"] > 0 else []


def _sprays(asked: dict[str, Any]) -> tuple[Doses, list[Fault]]:
    from kerp.drug.events import devices
    from kerp.drug.route import device_gap_fault, devices_for, load_route

    route = load_route("nasal_spray")
    assert route.device is not None
    if asked["devices"] is None and asked["dose_mg"] is None:
        raise KerpError(
            Fault("how much is given?", ways_out=("--devices 2", "--dose-mg 56", "--duration-min 40 (IV)"))
        )
    content = route.device.dose.value
    count = asked["devices"] if asked["devices"] is not None else devices_for(route, asked["dose_mg"])
    devices_for(route, count * content)
    if asked["dose_mg"] is not None and asked["dose_mg"] != count * content:
        found = f"{asked['dose_mg']:g} mg and {count} devices"
        raise KerpError(Fault("dose and devices disagree", field="--devices", found=found))
    gap = route.device.min_gap.value if asked["device_gap_min"] is None else asked["device_gap_min"]
    doses = devices(count, gap, content)
    fault = device_gap_fault(route, tuple(device.at_min for device in doses.devices))
    return doses, [fault] if fault else []


def _times(at: str | None, every_min: int) -> tuple[float, ...]:
    if at is None:
        return tuple(float(minute) for minute in range(0, 241, every_min))
    return tuple(_number("--at", part) for part in at.split(","))


def _span(text: str) -> tuple[float, float]:
    start, _, end = text.partition(":")
    return _number("--pause", start), _number("--pause", end)


def _number(option: str, text: str) -> float:
    try:
        return _finite(option, float(text))
    except ValueError:
        raise KerpError(
            Fault("this is not a number of minutes", field=option, found=text.strip() or "nothing")
        ) from None


def _finite(option: str, value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise KerpError(Fault("minutes count from 0", field=option, found=f"{value:g}"))
    return value


def _described(model: DrugModel) -> dict[str, Any]:
    return {
        "model": model.id,
        "name": model.name,
        "drug": model.agent,
        "sampling_site": model.sampling_site,
        "routes": model.routes,
        "analytes": model.analytes,
        "display_only": model.display_only,
        "caveats": model.caveats,
        "parameters": model.parameters,
        "between_subject": model.between_subject,
    }


def _as_data(simulation: Simulation, exposure: Exposure | None, warnings: list[Fault]) -> dict[str, Any]:
    request, curve = simulation.request, simulation.typical
    data: dict[str, Any] = {
        "model": curve.model,
        "analyte": curve.analyte,
        "sampling_site": curve.sampling_site,
        "times_min": curve.times_min.tolist(),
        "concentration_ng_per_ml": curve.ng_per_ml[0].tolist(),
        "felt_effect": simulation.effect.felt[0].tolist(),
        "effect_link": {"id": simulation.link.id, "status": simulation.link.status},
        "dose_mg": request.doses.dose_mg,
        "doses": request.doses,
    }
    if simulation.bands is not None:
        data["population"] = _population(simulation)
    if exposure is not None:
        data |= _summary(exposure)
    return data | {
        "display_only": curve.analyte in request.model.display_only,
        "warnings": [fault.as_dict() for fault in warnings],
        "caveats": simulation.caveats,
        "sources": simulation.sources,
    }


def _population(simulation: Simulation) -> dict[str, Any]:
    from kerp.drug.simulation import LEVELS

    assert simulation.bands is not None
    assert simulation.effect_bands is not None
    names = [f"p{level * 100:g}" for level in LEVELS]
    return {
        "people": simulation.request.population,
        "seed": simulation.request.seed,
        "concentration_ng_per_ml": dict(zip(names, simulation.bands.tolist(), strict=True)),
        "felt_effect": dict(zip(names, simulation.effect_bands.tolist(), strict=True)),
    }


def _summary(exposure: Exposure) -> dict[str, float]:
    return {
        "cmax_ng_per_ml": float(exposure.cmax_ng_per_ml[0]),
        "tmax_min": float(exposure.tmax_min[0]),
        "auc_0_24h_ng_h_per_ml": float(exposure.auc_ng_h_per_ml[0]),
    }


def _columns(simulation: Simulation) -> tuple[list[str], list[Any]]:
    curve = simulation.typical
    names, values = ["time_min", "concentration_ng_per_ml"], [curve.times_min, curve.ng_per_ml[0]]
    if simulation.bands is not None:
        names += ["p5_ng_per_ml", "p95_ng_per_ml"]
        values += [simulation.bands[0], simulation.bands[4]]
    return [*names, "felt_effect"], [*values, simulation.effect.felt[0]]


def _echo_csv(simulation: Simulation) -> None:
    names, values = _columns(simulation)
    curve = simulation.typical
    click.echo(",".join(["model", "analyte", "sampling_site", *names]))
    for row in zip(*values, strict=True):
        click.echo(",".join([curve.model, curve.analyte, curve.sampling_site, *(f"{value:.10g}" for value in row)]))


def _echo_people(simulation: Simulation, exposure: Exposure | None) -> None:
    curve, (names, values) = simulation.typical, _columns(simulation)
    dose_mg = simulation.request.doses.dose_mg
    title = f"{curve.analyte}, {curve.sampling_site} ({curve.model}), {dose_mg:g} mg"
    rows = [
        [f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}" for value in row] for row in zip(*values, strict=True)
    ]
    echo_table([name.replace("_", " ") for name in names], rows, title)
    if exposure is not None:
        for name, value in _summary(exposure).items():
            click.echo(f"{name}: {value:.4g}")
    for caveat in simulation.caveats:
        click.echo(f"- {caveat}")


@drug.command("forecast")
@click.argument("log", type=click.Path())
@click.option("--session", default="", help="Session id [default: the last one with drug].")
@click.option("--at", "at_min", type=float, help="As it stood so many minutes after T0 [default: at the end].")
@click.option("--age", "age_years", type=float, default=40.0, show_default=True)
@click.option("--ancestry", default="caucasian", show_default=True, help="caucasian, asian or japanese.")
@click.option("--weight-kg", type=float, help="Only where the log holds no weight.")
@click.option("--seed", type=int, default=1, show_default=True)
@json_option
def forecast_command(
    *,
    log: str,
    session: str,
    at_min: float | None,
    age_years: float,
    ancestry: str,
    weight_kg: float | None,
    seed: int,
    as_json: bool,
) -> None:
    """When effects begin, peak and end, from the ratings of a recorded session (model output, never a gate).

    \b
    Example: kerp drug forecast session.jsonl --at 20
    """  # noqa: D301  click wants the backspace character itself
    from kerp.records.logfile import read_log
    from kerp.report.felt_forecast import Person, as_data, forecast_log

    at_min = None if at_min is None else _finite("--at", at_min)
    person = Person(age_years, ancestry, weight_kg)
    found = forecast_log(read_log(log), person, session=session, at_min=at_min, seed=seed)
    if as_json:
        echo_json(as_data(found))
        return
    bands = {"onset": found.forecast.onset, "peak": found.forecast.peak, "gone": found.forecast.resolution}
    rows = [(name, *(_shown(getattr(band, end)) for end in _ENDS)) for name, band in bands.items()]
    known = "from every rating" if at_min is None else f"as known at {found.at_min:.0f} min"
    click.echo(f"Felt effect, minutes after T0; {found.model}, {found.doses.dose_mg:.4g} mg, {known}")
    echo_table(("", "5 %", "25 %", "middle", "75 %", "95 %"), rows)
    chances = found.forecast.chance_of_onset, found.forecast.chance_of_resolution
    click.echo(f"onset at all: {chances[0]:.0%}; gone within the forecast: {chances[1]:.0%}")
    click.echo(found.forecast.statement)
    for caveat in found.forecast.caveats:
        click.echo(f"- {caveat}")


_ENDS = ("low_90", "low_50", "median", "high_50", "high_90")


def _shown(minute: float | None) -> str:
    return "later" if minute is None else f"{minute:.0f}"
