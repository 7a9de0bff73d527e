"""What `xvlm-eval bench` prints: rows for machines, tables for people."""

from typing import Any

from harness.bench.contest import Result
from harness.bench.measure import Findings
from harness.bench.projection import Projection
from harness.bench.stages import Stage
from harness.rendering import Table

MEGABYTE = 2**20
COLUMNS = {
    "stage": "stage", "literal": "literal", "engine": "engine", "speed": "ratio", "floor": "floor", "difference": "max difference",
    "agreement": "results", "peak": "peak memory",
}  # fmt: skip
RATES = {
    "what": "engine alone",
    "rate": "a second",
    "compute": "of matrix peak",
    "traffic": "of copy bandwidth",
    "peak": "peak memory",
}
BENCHMARKS = {"benchmark": "benchmark", "model": "model", "decode": "decode", "time": "projected"}


def as_json(findings: Findings) -> dict[str, Any]:
    """Return everything that was measured, in JSON's types."""
    content: dict[str, Any] = {**findings.conditions, "agree": findings.agree}
    content["stages"] = [
        _row(stage, result, findings) for stage, result in findings.results.items()
    ]
    if findings.projection is not None:
        content["projection"] = _projection(findings.projection)
    return content


def tables(findings: Findings) -> list[Table]:
    """Return the same for people."""
    told = findings.conditions
    title = "Engine and literal algorithm: {size} size, {device}, {dtype}, {threads} threads, median of {repeat}".format(
        **told
    )
    found = [
        Table(
            title,
            [_shown(_row(stage, result, findings)) for stage, result in findings.results.items()],
            COLUMNS,
        )
    ]
    if findings.projection is not None:
        content = _projection(findings.projection)
        found.append(
            Table("Throughput of the engine", [_rate(row) for row in content["rates"]], RATES)
        )
        found.append(
            Table(
                "Benchmarks at their real sizes",
                [_benchmark(row) for row in content["benchmarks"]],
                BENCHMARKS,
            )
        )
    return found


def _row(stage: Stage, result: Result, findings: Findings) -> dict[str, Any]:
    """Return a stage in JSON's types; floors are for base size in float32 on a CPU."""
    agreement, told = result.agreement, findings.conditions
    counts = (told["size"], told["device"], told["dtype"]) == ("base", "cpu", "float32")
    return {
        "stage": stage.name,
        "literal_s": result.literal_s,
        "engine_s": result.engine_s,
        "ratio": result.literal_s / result.engine_s,
        "floor": stage.floor if counts else None,
        "max_diff": agreement.largest,
        "rms_diff": agreement.rms,
        "alike": agreement.alike,
        "agree": agreement.holds,
        "noise": agreement.noise,
        "shift": agreement.shift,
        "peak_mb": _megabytes(result.peak),
    }


def _projection(found: Projection) -> dict[str, Any]:
    return {
        "matrix_tflops": found.limits.flops / 1e12,
        "copy_gb_per_second": found.limits.bytes / 1e9,
        "decoded_per_second": found.decoded_per_second,
        "rates": [
            {
                "what": rate.what,
                "per_second": rate.per_second,
                "compute_share": rate.compute_share,
                "traffic_share": rate.traffic_share,
                "peak_mb": _megabytes(rate.peak),
            }
            for rate in found.rates
        ],
        "benchmarks": [
            {
                "benchmark": one.benchmark,
                "model_s": one.model_s,
                "decode_s": one.decode_s,
                "seconds": one.seconds,
            }
            for one in found.benchmarks
        ],
        "seconds": sum(one.seconds for one in found.benchmarks),
    }


def _megabytes(peak: int | None) -> float | None:
    return None if peak is None else peak / MEGABYTE


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "stage": row["stage"],
        "literal": f"{row['literal_s']:.3f} s",
        "engine": f"{row['engine_s']:.3f} s",
        "speed": f"{row['ratio']:.2f}",
        "floor": None if row["floor"] is None else f"{row['floor']:.1f}",
        "difference": f"{row['max_diff']:.1e}",
        "agreement": "the same" if row["agree"] else "NOT THE SAME",
        "peak": None if row["peak_mb"] is None else f"{row['peak_mb']:.0f} MB",
    }


def _rate(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "what": row["what"],
        "rate": f"{row['per_second']:,.1f}",
        "compute": f"{100 * row['compute_share']:.0f} %",
        "traffic": f"{100 * row['traffic_share']:.0f} %",
        "peak": None if row["peak_mb"] is None else f"{row['peak_mb']:.0f} MB",
    }


def _benchmark(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "benchmark": row["benchmark"],
        "model": f"{row['model_s']:,.1f} s",
        "decode": f"{row['decode_s']:,.1f} s",
        "time": f"{row['seconds']:,.1f} s",
    }
