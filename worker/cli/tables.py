"""Tables for people: what a replay has told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from worker.replay.recording import Recording
    from worker.replay.session import Result

#: Columns when the output is no terminal.
_WIDTH = 110
_AROUND = 60
_STYLES = {"first": "bold red", "development": "bold yellow", "report": "cyan", "correction": "magenta"}
_WORDS = {"first": "ALERT", "development": "DEVELOPMENT", "report": "update", "correction": "CORRECTION"}
_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")


def show_result(result: Result, recorded: Recording) -> None:
    """Print the stories that were told, alert by alert with the evidence marked, and the sums."""
    from worker.replay.lines import each_alert

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    texts = {article.id: article for article in recorded.articles}
    stories: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for alert in each_alert(result.alerts):
        stories.setdefault((alert["topic"], alert["story"]), []).append(alert)
    for (topic, story), alerts in stories.items():
        console.print(_story(topic, story, alerts, texts))
    if result.silent and recorded.articles:
        console.print(f"Silent: {len(result.silent)} of {len(recorded.articles)} articles met no topic.")
    console.print(_sums(result.summary), style="bold", markup=False)


def _story(topic: str, story: str, alerts: list[dict[str, Any]], texts: dict[str, Any]) -> Table:
    last = alerts[-1]
    linked = f", follows story {last['linked']}" if last["linked"] else ""
    counts = f"{last['articles']} articles, {last['outlets']} outlets, {last['origins']} origins{linked}"
    table = Table(
        title=f"{escape(topic)} · story {story} · {counts}", title_justify="left", title_style="bold", expand=True
    )
    table.add_column("told at (UTC)", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("outlet", max_width=22)
    table.add_column("headline and evidence", ratio=1)
    for alert in alerts:
        headline = Text(alert["title"].translate(_CONTROL), style="bold")
        evidence = [_evidence(e, alert, texts) for e in _best(alert["evidence"])]
        what = Text(_WORDS[alert["role"]], style=_STYLES[alert["role"]])
        outlet = Text(alert["outlet"].translate(_CONTROL))
        table.add_row(alert["at"].replace("T", " ").rstrip("Z"), what, outlet, Group(headline, *evidence))
    return table


def _best(evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first evidence from the text, which says more than the headline above it; else the first of all."""
    return ([e for e in evidence if e["field"] == "text"] or evidence)[:1]


def _evidence(evidence: dict[str, Any], alert: dict[str, Any], texts: dict[str, Any]) -> Text:
    """Return the evidence marked among the words around it, as far as the recording has them."""
    article = texts.get(alert["article"])
    source = alert["title"] if evidence["field"] == "title" else (getattr(article, "text", None) or "")
    found = evidence["text"]
    at = source.find(found)
    before = source[max(0, at - _AROUND) : at].rpartition("\n")[2] if at >= 0 else ""
    after = source[at + len(found) : at + len(found) + _AROUND].partition("\n")[0] if at >= 0 else ""
    line = Text(f"{evidence['field']}: …{before}".translate(_CONTROL), style="dim")
    line.append(f"»{found.translate(_CONTROL)}«", style="not dim reverse")
    line.append(f"{after}…".translate(_CONTROL))
    return line


def _sums(summary: dict[str, Any]) -> str:
    updates = summary["report"] + summary["development"]
    said = [
        _counted(summary["articles"], "article", "articles"),
        _counted(summary["matches"], "match", "matches"),
        _counted(summary["stories"], "story", "stories"),
        _counted(summary["first"], "alert", "alerts"),
        _counted(updates, "update", "updates"),
    ]
    said.extend(f"{summary[name]} {name}" for name in ("unknown", "dead") if summary[name])
    if summary["skipped"]:
        said.append(f"{len(summary['skipped'])} skipped")
    return ", ".join(said)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
