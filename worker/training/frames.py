"""Reporting frames: the same words of a claim, reported, denied, asked, planned, supposed or remembered.

``{}`` takes a claim as a clause ("a country expels diplomats") in ``SENTENCES`` and a topic phrase in ``HEADLINES``.
"""

from __future__ import annotations

from collections.abc import Mapping

from worker.training.claims import Label

SENTENCES: Mapping[Label, tuple[str, ...]] = {
    "states": (
        "{}, officials confirmed on Monday.",
        "{}, according to a statement released on Tuesday.",
        "It is now official: {}.",
        "A spokeswoman confirmed that {}.",
        "Three people with knowledge of the matter said that {}.",
        "After months of argument, {}.",
        "{}, the agency reported, and few were surprised.",
        '"Yes, {}," the minister told reporters.',
        "The announcement came shortly after noon: {}.",
        "Despite many objections, {}, it emerged on Friday.",
        "Critics call it a mistake, but {}.",
        "Nobody had expected it this week, yet {}.",
        "{}. Shares and nerves were unsettled for an hour.",
        "Neighbours learnt from the radio that {}.",
        "An earlier denial has been withdrawn: {}.",
    ),
    "opposes": (
        "It is not true that {}, officials said on Monday.",
        "A spokeswoman denied that {}.",
        "Reports that {} are false, according to a statement released on Tuesday.",
        "The agency withdrew its report that {}, which had turned out to be wrong.",
        '"I can tell you that nothing of the kind happened," the minister said of claims that {}.',
        "An inquiry found no truth in the story that {}.",
        "Contrary to what was reported last week, it is not the case that {}.",
        "The announcement that {} was reversed within a day.",
        "Those who wrote that {} have apologised: the opposite is the case.",
        "Officials dismissed as invented the claim that {}.",
    ),
    "other": (
        "It will be decided next month whether {}.",
        "Nobody can say yet whether {}.",
        "A columnist argues that it is high time that {}.",
        "Campaigners demand to know why it is not the case that {}.",
        "Analysts considered what would happen if {}.",
        "A draft on the table foresees that {} from next year, if it is adopted.",
        "Readers ask: is it right that {}?",
        "In the novel, {}, and everything goes wrong.",
        "The exhibition recalls the year 1974, when {}.",
        "Thirty years ago, {}; the anniversary passed without notice.",
        "Bookmakers offer three to one that {} before the summer.",
        "The opposition will propose in the autumn that {}.",
        "Suppose for a moment that {}: who would pay?",
        "A poll found that most people would welcome it if {}.",
        "Unless talks succeed, {}, an official warned.",
        "The minister was asked three times whether {} and spoke of the weather.",
    ),
}

HEADLINES: Mapping[Label, tuple[str, ...]] = {
    "states": (
        "{}",
        "{}, it is confirmed",
        "Breaking: {}",
        "{}: what changes now",
        "{}, to general surprise",
        "Official: {}",
    ),
    "opposes": (
        '"{}"? Not true, say officials',
        'Report of "{}" withdrawn as false',
        "{}: report denied",
        'No, it is not so: "{}" was a hoax',
        'Decision undone a day after "{}"',
    ),
    "other": (
        "{}? Decision next month",
        "What if: {}",
        "Will it come to this: {}?",
        '"{}": a demand that grows louder',
        "From the archive, 1974: {}",
        'Opinion: why the day of "{}" must come',
        "{} by 2031, according to plans",
    ),
}
