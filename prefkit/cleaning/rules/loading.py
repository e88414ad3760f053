"""The rules that a configuration turns on, ready to look at rows."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence

from prefkit.cleaning.rows import Row
from prefkit.cleaning.rules.contract import Finding, Rule, View, clip
from prefkit.cleaning.rules.custom import custom_rules
from prefkit.cleaning.rules.language import refuse_unknown
from prefkit.cleaning.rules.private import unmasked
from prefkit.cleaning.rules.private.names import open_names
from prefkit.cleaning.rules.table import RULES
from prefkit.cleaning.rules.tokens import open_tokens
from prefkit.config import CleanConfig
from prefkit.errors import EXIT_USAGE, PrefkitError
from prefkit.workspace import Workspace

FAILED = "rule-failed"  # what a rule that raised is marked as


@dataclasses.dataclass(frozen=True)
class Rules:
    """Rules that look at rows; travels to another process as its configuration.

    Attributes:
        config: The `[clean]` table.
        workspace: Where custom rules lie.
        rules: Name and rule of those that are on, in order.
        files: SHA-256 of the files that custom rules are from, by name of the rule.
    """

    config: CleanConfig
    workspace: Workspace
    rules: Mapping[str, Rule]
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __reduce__(self) -> tuple[object, ...]:
        return load_rules, (self.config, self.workspace)

    def marks(self, rule: str) -> bool:
        """Whether a finding of this rule only marks a row and leaves it in."""
        return rule == FAILED or rule in self.config.flag_rules

    def findings(
        self, row: Row, first_only: bool = False, passage: str | None = None, where: str = ""
    ) -> list[Finding]:
        """What the rules hold against a row, in the order of the rules.

        Args:
            row: Of normalised text.
            first_only: Stop at the first finding that does not only mark.
            passage: The text that the answer was quoted from, when it is at hand.
            where: File and line of the row, for the error of a rule that fails.

        Raises:
            PrefkitError: A rule failed, and `on_rule_error` says stop.
        """
        view = View(row, passage)
        found: list[Finding] = []
        for name, rule in self.rules.items():
            try:
                detail = rule.check(view, self.config)
            except (Exception, SystemExit) as error:
                found.append(self._failed(name, error, view, where))
                continue
            if detail is not None:
                found.append(Finding(name, _masked(detail, view)))
                if first_only and not self.marks(name):
                    break
        return found

    def _failed(self, name: str, error: BaseException, view: View, where: str) -> Finding:
        what = _masked(f"{name}: {type(error).__name__}: {clip(str(error))}", view)
        if self.config.on_rule_error == "count":
            return Finding(FAILED, what)
        raise PrefkitError(
            f"{where or view.row.record.id}: a rule failed: {what.rstrip('.')}.",
            hint='Mend the rule, or mark such rows and go on with `on_rule_error = "count"` under '
            "`[clean]`.",
        ) from error


def load_rules(config: CleanConfig, workspace: Workspace) -> Rules:
    """The rules that `[clean]` turns on.

    Args:
        config: Says which, and their limits.
        workspace: Where custom rules lie.

    Raises:
        PrefkitError: A rule that is named does not exist, or a custom one cannot be loaded.
    """
    own = custom_rules(config, workspace)
    for name in own.keys() & {*RULES, FAILED}:
        raise PrefkitError(
            f"[clean] `{name}` is the name of a rule of ours.",
            hint="Give yours another name.",
            exit_code=EXIT_USAGE,
        )
    known = RULES | {name: custom.rule for name, custom in own.items()}
    for field in ("use_rules", "skip_rules", "flag_rules"):
        _refuse_unknown(getattr(config, field), known, field)
    wanted = set(config.use_rules or known) - set(config.skip_rules)
    on = {name: rule for name, rule in known.items() if name in wanted and rule.on(config)}
    _open_what_they_need(on, config)
    files = {name: own[name].sha256 for name in on if name in own and own[name].sha256}
    return Rules(config, workspace, on, files)


def _open_what_they_need(on: Mapping[str, Rule], config: CleanConfig) -> None:
    """Fail now, and not at the first row."""
    if "language" in on:
        refuse_unknown(config.languages)
    if "personal-names" in on:
        open_names(config.names_model)
    if "over-length" in on or "difference-cut-off" in on:
        open_tokens(config.tokenizer)


def _masked(detail: str, view: View) -> str:
    """The detail, or what stands for it where it would show something private of the row."""
    return "not shown: the text holds private data" if unmasked(detail, view) else detail


def _refuse_unknown(names: Sequence[str], known: Iterable[str], field: str) -> None:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise PrefkitError(
                f"[clean] {field}: there is no rule called `{name}`"
                + (f"; did you mean `{close[0]}`?" if close else "."),
                hint=f"The rules are: {', '.join(known)}.",
                exit_code=EXIT_USAGE,
            )
