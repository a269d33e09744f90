"""What stands behind the figures: data, environment, settings, and how to do it again."""

from stacked.report.contents import Contents
from stacked.report.html import Html, element
from stacked.report.trees import facts_list, settings_tree


def data(contents: Contents) -> Html | None:
    """Where the rows come from, and what they are."""
    return facts_list(contents.data) if contents.data else None


def environment(contents: Contents) -> Html | None:
    """Versions, machine and time."""
    return facts_list(contents.environment) if contents.environment else None


def settings(contents: Contents) -> Html | None:
    """All settings; closed at first, for they are long."""
    if not contents.settings:
        return None
    tree = element("div", settings_tree(contents.settings), class_="tree")
    return element("details", element("summary", "All settings"), tree)


def repeat(contents: Contents) -> Html | None:
    """The command or program."""
    return element("pre", element("code", contents.repeat), tabindex=0) if contents.repeat else None
