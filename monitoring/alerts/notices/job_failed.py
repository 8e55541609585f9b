"""A job by the clock failed as often as it may."""

from monitoring.alerts.notice import Notice, NoticeKind

JOB_FAILED = NoticeKind(
    name="job_failed",
    wrong="JOB_FAILED",
    well="JOBS_WELL",
    recovered="Every job of the scheduler does its work again.",
    next_steps=(
        "Look at the log of the job on the scheduler's host. It is tried again at each of its "
        "times; to try it now: fourcycle schedule --use-case {name} --once yes.",
    ),
)


def failed(job: str, failures: int, trouble: str) -> Notice:
    """A job failed at each attempt; `trouble` is how it ended, in words of ours."""
    reason = f"The job {job} failed {failures} times in a row; the last time it {trouble}."
    return Notice(JOB_FAILED, job, (reason,))


def well() -> Notice:
    """Every job did its work."""
    return Notice(JOB_FAILED)
