"""Which modules are mutated, and what pytest is given of tests that must notice."""

SEED = 20261130
PER_MODULE = 24  # mutants of each; a short module has fewer places
ALONE = "--noconftest"  # tests that share no parts need not wait for them

RELEASE = ("tests/pipelines/release/test_decision.py",)
VERDICT = (
    ALONE,
    "tests/monitoring/verdict/test_verdict.py",
    "tests/monitoring/verdict/test_reasons.py",
)
MEASURES = "tests/monitoring/measures"
DISTANCES = (ALONE, f"{MEASURES}/distances", f"{MEASURES}/test_distance.py")
COMPARED = (ALONE, f"{MEASURES}/test_compare.py", f"{MEASURES}/test_bins.py")
STATISTICS = ("tests/contract/statistics", "tests/pipelines/model/test_baseline.py")
ENCODERS = ("tests/pipelines/compiler/encoders",)
JSON = (
    "tests/serving/protocols/test_typed_json.py",
    "tests/serving/protocols/test_any_json.py",
    "tests/serving/requests/test_columns.py",
)

TESTS: dict[str, tuple[str, ...]] = {
    "contract/statistics/bootstrap.py": (ALONE, "tests/contract/statistics/test_bootstrap.py"),
    "contract/statistics/metrics.py": STATISTICS,
    "contract/store/cells.py": (ALONE, "tests/contract/store/test_cells.py"),
    "contract/store/exactly_once.py": (ALONE, "tests/contract/store/test_exactly_once.py"),
    "contract/store/labels.py": ("tests/contract/store/test_labels.py",),
    "contract/store/ledger.py": (
        "tests/contract/store/test_ledger.py",
        "tests/serving/scoring/test_pointer.py",
    ),
    "monitoring/measures/answers.py": (f"{MEASURES}/test_performance.py",),
    "monitoring/measures/bins.py": COMPARED,
    "monitoring/measures/compare.py": (*COMPARED[1:], f"{MEASURES}/test_performance.py"),
    "monitoring/measures/distance.py": DISTANCES,
    "monitoring/measures/distances/jensen_shannon.py": DISTANCES,
    "monitoring/measures/distances/psi.py": DISTANCES,
    "monitoring/measures/estimate.py": (f"{MEASURES}/test_estimate.py", f"{MEASURES}/test_bins.py"),
    "monitoring/measures/expected_loss.py": (f"{MEASURES}/test_expected_loss.py",),
    "monitoring/measures/performance.py": (
        f"{MEASURES}/test_performance.py",
        f"{MEASURES}/test_estimate.py",
    ),
    "monitoring/measures/tally.py": COMPARED,
    "monitoring/verdict/judge.py": ("tests/monitoring/verdict/test_judge.py",),
    "monitoring/verdict/reasons.py": VERDICT,
    "monitoring/verdict/verdict.py": VERDICT,
    "pipelines/compiler/encoders/imputer.py": ENCODERS,
    "pipelines/compiler/encoders/lookup.py": ENCODERS,
    "pipelines/compiler/encoders/one_hot.py": ENCODERS,
    "pipelines/compiler/encoders/ordinal.py": ENCODERS,
    "pipelines/compiler/encoders/scaler.py": ENCODERS,
    "pipelines/compiler/encoders/target.py": ENCODERS,
    "pipelines/compiler/parity.py": ("tests/pipelines/compiler/test_parity.py",),
    "pipelines/registry/transitions.py": (ALONE, "tests/pipelines/registry/test_transitions.py"),
    "pipelines/release/decision.py": RELEASE,
    "pipelines/retraining/label_checks.py": ("tests/pipelines/retraining/test_policy.py",),
    "pipelines/retraining/policy.py": ("tests/pipelines/retraining/test_policy.py",),
    "pipelines/scheduling/due.py": ("tests/pipelines/scheduling/test_due.py",),
    "pipelines/scoring/job.py": ("tests/pipelines/scoring/test_job.py",),
    "pipelines/sources/values.py": (ALONE, "tests/pipelines/sources/test_values.py"),
    "serving/log/feedback_record.py": ("tests/serving/log/test_record.py",),
    "serving/log/prediction_record.py": ("tests/serving/log/test_record.py",),
    "serving/log/record.py": ("tests/serving/log/test_record.py",),
    "serving/log/segment_frames.py": (ALONE, "tests/serving/log/test_segment_frames.py"),
    "serving/requests/arrow_columns.py": (ALONE, "tests/serving/requests/test_arrow_columns.py"),
    "serving/requests/strict_json.py": JSON,
    "serving/requests/typed_json.py": JSON,
    "serving/scoring/score_batch.py": ("tests/serving/scoring/test_score_batch.py",),
}
