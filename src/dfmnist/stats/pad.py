"""Error rates of presentation attack detection (PAD), as ISO/IEC 30107-3 defines them.

A bona fide presentation is a person before the camera; an attack presentation imitates one. The
attacks made in one way, such as printed photos, are one species of attack instrument.
"""

from collections.abc import Iterable

from dfmnist.stats.intervals import Rate


def apcer(classified_bona_fide: Iterable[bool]) -> Rate:
    """Attack presentation classification error rate: attacks wrongly classified as bona fide.

    `classified_bona_fide`: the detector's answer on each attack of one species.
    """
    return Rate.of(classified_bona_fide)


def bpcer(classified_bona_fide: Iterable[bool]) -> Rate:
    """Bona fide presentation classification error rate: bona fide wrongly classified as attacks.

    `classified_bona_fide`: the detector's answer on each bona fide presentation.
    """
    return Rate.of(not answer for answer in classified_bona_fide)


def acer(apcer_by_species: Iterable[Rate], bpcer: Rate) -> float:
    """Average classification error rate: the mean of BPCER and the worst species' APCER.

    NaN where the bona fide presentations or one species' attacks are missing.
    """
    species = list(apcer_by_species)
    if not species or not all(rate.n for rate in species):
        return float("nan")
    return (max(rate.share for rate in species) + bpcer.share) / 2
