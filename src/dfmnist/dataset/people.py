"""People of clips: who is to be kept in one split, and who counts as one group in a bootstrap.

A face swap shows two people: the one in the video and the one whose face was put there. Clips that
share a person, directly or through other clips, are one connected component.
"""

from collections.abc import Iterable, Sequence

from dfmnist.dataset.clip import Clip


def people_of(clip: Clip, *, drivers: bool = True) -> tuple[str, ...]:
    """All people of a clip; `drivers` False leaves out who only drives it."""
    if drivers or not clip.driver or clip.driver == clip.source:
        return clip.identities
    return tuple(person for person in clip.identities if person != clip.driver)


def components(people: Iterable[Sequence[str]]) -> dict[str, str]:
    """The component of each person, named by its first member in alphabetical order.

    `people` lists the people of each clip. People of one clip are in one component.
    """
    parent: dict[str, str] = {}

    def top(person: str) -> str:
        parent.setdefault(person, person)
        while parent[person] != person:
            parent[person] = parent[parent[person]]
            person = parent[person]
        return person

    for together in people:
        first = top(together[0])
        for other in together[1:]:
            second = top(other)
            if first != second:
                first, second = sorted((first, second))
                parent[second] = first
    return {person: top(person) for person in parent}


def groups_of(clips: Sequence[Clip]) -> list[str]:
    """The group of each clip for a bootstrap or a cross-validation over people.

    Groups are connected components of the people seen or swapped in. People who only drive do not
    join groups: a volunteer who drives all fakes would join them all.
    """
    if all(len(clip.identities) == 1 for clip in clips):
        return [clip.source for clip in clips]
    seen = [people_of(clip, drivers=False) for clip in clips]
    component = components(seen)
    return [component[people[0]] for people in seen]
