"""Whether numbers of different origins can be compared: the same ion, potential, scan and reduction."""

from collections.abc import Mapping

from aiida_pesfp.settings.scan import SCAN_SETTINGS

_SURFACES = 'describe all surfaces alike with pesfp.describe, without a new scan'
#: Attributes on which descriptors depend besides the structure -> the words for it, and the way out of a difference.
_COMPARED = {
    'species': ('mobile ion', 'use one ion at a time'),
    'potential_sha256': ('potential', 'use one potential at a time'),
    **{name: (name.replace('_', ' ') + ' of the scan', 'scan all structures alike') for name in SCAN_SETTINGS},
    'settings': ('settings of the descriptors', _SURFACES),
}


def difference(one: Mapping, other: Mapping) -> str | None:
    """The first thing that makes two results incomparable, and the way out; None if they can be compared.

    A potential is known by its content: its name may have changed when it was stored again.

    :param one: attributes of descriptors, of an assessment or of a ranking model.
    """

    def show(attributes: Mapping, name: str) -> str:
        value = attributes.get(name)
        if name != 'potential_sha256':
            return str(value)
        return f'{attributes.get("potential_name") or "another one"} (SHA-256 {str(value)[:12]}...)'

    for name, (what, way_out) in _COMPARED.items():
        if one.get(name) != other.get(name):
            return f'differ in the {what}: {show(one, name)} and {show(other, name)}; {way_out}'
    return None


def mismatch(model: Mapping, descriptors: Mapping, name: str = 'the model') -> str | None:
    """Why a ranking model was not made for descriptors, if so, and the way out.

    :param model: what it was made for; what it does not name, or has as None, does not matter to it. Of ``settings``
        it names those that matter.
    :param descriptors: their attributes.
    :param name: of the model, in the message.
    """
    wanted = {key: value for key, value in model.items() if value is not None}
    theirs = {key: descriptors.get(key) for key in (*_COMPARED, 'potential_name') if key in wanted}
    if 'settings' in wanted:
        theirs['settings'] = {key: (theirs['settings'] or {}).get(key) for key in wanted['settings']}
    found = difference({key: wanted[key] for key in theirs}, theirs)
    return found and f'{name} and the scans {found}'
