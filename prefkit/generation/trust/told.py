"""What a run's card says of the second model and of confidence."""

from collections import Counter
from typing import Any

from prefkit.evaluation.statistics import wilson
from prefkit.generation.reported import Reported


def trust(reported: Reported) -> str:
    """How often a second model said yes, no, or nothing that counts; and how sure the rest is."""
    verdicts = Counter((row["judge"], _word(row)) for row in reported.rows("verdicts"))
    lines = ["## Trust\n"] if verdicts else []
    if verdicts:
        lines += [
            "| asked | yes | no | unscored | yes, of those scored |",
            "|---|---:|---:|---:|---|",
        ]
    for judge in dict.fromkeys(name for name, _ in sorted(verdicts)):
        yes, no, unscored = (verdicts[judge, word] for word in ("yes", "no", "unscored"))
        share = wilson(yes, yes + no)
        told = "none scored"
        if share.low is not None and share.high is not None:
            interval = f"{share.low:.0%} to {share.high:.0%}, {share.method}, n={share.n}"
            told = f"{share.value:.0%} ({interval})"
        lines.append(f"| {judge} | {yes} | {no} | {unscored} | {told} |")
    if lines:
        lines.append("\nUnscored is no yes: no proof was found, or no reply could be read.")
    return "\n".join(lines)


def _word(row: dict[str, Any]) -> str:  # a Verdict as JSON
    if row["status"] == "unscored":
        return "unscored"
    return "yes" if row["score"] else "no"
