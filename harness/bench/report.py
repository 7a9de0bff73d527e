"""The measurements of `xvlm-eval bench`: JSON for machines, tables for people."""

from typing import Any

from harness.bench.comparison import ComparisonResult
from harness.bench.measure import FromFiles, Measurements
from harness.bench.pipelines import PIPELINES
from harness.bench.projection import Projection
from harness.bench.stages import Stage
from harness.rendering import Table

MEGABYTE = 2**20
STAGE_COLUMNS = {
    "stage": "stage",
    "literal": "literal",
    "engine": "engine",
    "speed": "ratio",
    "floor": "floor",
    "difference": "max difference",
    "agreement": "results",
    "peak": "peak memory",
    "products": "products",
    "efficiency": "of oneDNN alone",
}
RATE_COLUMNS = {
    "what": "engine alone",
    "rate": "a second",
    "compute": "of matrix peak",
    "traffic": "of copy bandwidth",
    "peak": "peak memory",
}
TIME_COLUMNS = {"benchmark": "benchmark", "model": "model", "decode": "decode", "time": "projected"}

FILES_COLUMNS = {
    "benchmark": "benchmark",
    "files": "files",
    "samples": "samples",
    "decode": "decode alone",
    "model": "model alone",
    "time": "from files",
    "overhead": "of the longer",
    "peak": "peak memory",
    "real": "at real size",
}
WHOLE_TABLE_S = {"float32": 240.0, "tf32": 240.0, "float16": 180.0, "bfloat16": 180.0}  # the goals


def as_json(measurements: Measurements) -> dict[str, Any]:
    """Return all measurements in JSON's types."""
    content: dict[str, Any] = {**measurements.conditions, "agree": measurements.agree}
    content["stages"] = _stage_rows(measurements)
    if measurements.projection is not None:
        content["projection"] = _projection(measurements.projection)
    return content


def tables(measurements: Measurements) -> list[Table]:
    """Return the measurements as tables for people."""
    title = (
        "Engine and literal algorithm: {size} size, {device}, {dtype}, {threads} threads, "
        "median of {repeat}"
    ).format(**measurements.conditions)
    rows = [_stage_cells(row) for row in _stage_rows(measurements)]
    stages = Table(title, rows, STAGE_COLUMNS)
    if measurements.projection is None:
        return [stages]
    content = _projection(measurements.projection)
    rates = [_rate_cells(row) for row in content["rates"]]
    times = [_time_cells(row) for row in content["benchmarks"]]
    return [
        stages,
        Table("Throughput of the engine", rates, RATE_COLUMNS),
        Table("Benchmarks at their real sizes", times, TIME_COLUMNS),
    ]


def files_as_json(measured: FromFiles) -> dict[str, Any]:
    """Return the times from files in JSON's types."""
    rows = [
        {
            "benchmark": time.benchmark,
            "files": time.files,
            "real_files": time.real_files,
            "samples": time.samples,
            "decode_s": time.decode_s,
            "model_s": time.model_s,
            "seconds": time.seconds,
            "overhead": time.overhead,
            "peak_mb": _megabytes(time.peak_bytes),
            "predictions_sha256": time.predictions_sha256,
            "same_predictions": time.same,
            "real_s": time.real_seconds,
        }
        for time in measured.times
    ]
    seconds = sum(time.real_seconds for time in measured.times)
    content = {**measured.conditions, "from_files": rows, "real_s": seconds}
    lacking = [each.benchmark for each in PIPELINES]
    for time in measured.times:
        lacking.remove(time.benchmark)
    return {**content, "lacking": lacking, "goal_s": WHOLE_TABLE_S[measured.conditions["dtype"]]}


def files_table(measured: FromFiles) -> Table:
    """Return the times from files as a table for people."""
    title = "From image files to predictions: {size} size, {device}, {dtype}".format(
        **measured.conditions
    )
    content = files_as_json(measured)
    cells: list[dict[str, Any]] = [
        {
            "benchmark": row["benchmark"],
            "files": f"{row['files']:,} of {row['real_files']:,}",
            "samples": f"{row['samples']:,}",
            "decode": f"{row['decode_s']:.1f} s",
            "model": f"{row['model_s']:.1f} s",
            "time": f"{row['seconds']:.1f} s",
            "overhead": f"{row['overhead']:.2f}",
            "peak": _peak_cell(row),
            "real": f"{row['real_s']:.1f} s",
        }
        for row in content["from_files"]
    ]
    if content["lacking"]:
        whole = f"without {', '.join(content['lacking'])}"
    else:
        whole = f"whole table, goal on a GPU {content['goal_s']:.0f} s"
    cells.append({"benchmark": whole, "real": f"{content['real_s']:.1f} s"})
    return Table(title, cells, FILES_COLUMNS)


def _stage_rows(measurements: Measurements) -> list[dict[str, Any]]:
    """Return the stages in JSON's types; floors are for base size in float32 on a CPU."""
    conditions = [measurements.conditions[name] for name in ("size", "device", "dtype")]
    has_floor = conditions == ["base", "cpu", "float32"]
    return [
        _stage_row(stage, result, stage.floor if has_floor else None)
        for stage, result in measurements.results.items()
    ]


def _stage_row(stage: Stage, result: ComparisonResult, floor: float | None) -> dict[str, Any]:
    agreement = result.agreement
    return {
        "stage": stage.name,
        "literal_s": result.literal_s,
        "engine_s": result.engine_s,
        "ratio": result.literal_s / result.engine_s,
        "floor": floor,
        "max_diff": agreement.largest,
        "rms_diff": agreement.rms,
        "alike": agreement.alike,
        "agree": agreement.agree,
        "noise": agreement.noise,
        "shift": agreement.shift,
        "peak_mb": _megabytes(result.peak_bytes),
        "product_share": None if result.products is None else result.products.share,
        "product_efficiency": None if result.products is None else result.products.efficiency,
    }


def _projection(projection: Projection) -> dict[str, Any]:
    rates = [
        {
            "what": rate.unit,
            "per_second": rate.per_second,
            "compute_share": rate.compute_share,
            "traffic_share": rate.traffic_share,
            "peak_mb": _megabytes(rate.peak_bytes),
        }
        for rate in projection.rates
    ]
    benchmarks = [
        {
            "benchmark": time.benchmark,
            "model_s": time.model_s,
            "decode_s": time.decode_s,
            "seconds": time.seconds,
        }
        for time in projection.times
    ]
    return {
        "matrix_tflops": projection.limits.flops / 1e12,
        "copy_gb_per_second": projection.limits.bytes / 1e9,
        "decoded_per_second": projection.decoded_per_second,
        "rates": rates,
        "benchmarks": benchmarks,
        "seconds": sum(time.seconds for time in projection.times),
    }


def _megabytes(size: int | None) -> float | None:
    return None if size is None else size / MEGABYTE


def _stage_cells(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "stage": row["stage"],
        "literal": f"{row['literal_s']:.3f} s",
        "engine": f"{row['engine_s']:.3f} s",
        "speed": f"{row['ratio']:.2f}",
        "floor": None if row["floor"] is None else f"{row['floor']:.1f}",
        "difference": f"{row['max_diff']:.1e}",
        "agreement": "the same" if row["agree"] else "NOT THE SAME",
        "peak": _peak_cell(row),
        "products": _share_cell(row["product_share"]),
        "efficiency": _share_cell(row["product_efficiency"]),
    }


def _rate_cells(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "what": row["what"],
        "rate": f"{row['per_second']:,.1f}",
        "compute": f"{100 * row['compute_share']:.0f} %",
        "traffic": f"{100 * row['traffic_share']:.0f} %",
        "peak": _peak_cell(row),
    }


def _share_cell(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.0f} %"


def _peak_cell(row: dict[str, Any]) -> str | None:
    return None if row["peak_mb"] is None else f"{row['peak_mb']:.0f} MB"


def _time_cells(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "benchmark": row["benchmark"],
        "model": f"{row['model_s']:,.1f} s",
        "decode": f"{row['decode_s']:,.1f} s",
        "time": f"{row['seconds']:,.1f} s",
    }
