"""What stands in a folder for a scan whose grid was not kept: its merge tree, or only its ions, and a record."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from aiida_pesfp.fingerprint.descriptors import Descriptors, describe
from aiida_pesfp.fingerprint.merge_tree import KEPT, MergeTree
from aiida_pesfp.fingerprint.surface import ScannedIons
from aiida_pesfp.programs.checkpoint import Checkpoint, replacing, write_json
from aiida_pesfp.settings.descriptors import DescriptorSettings

RECORD = 'kept.json'


@dataclass(frozen=True)
class Kept:
    """What is known of a scan that is done.

    :param keep: what is kept of it, a value of ``KeepSettings.keep``.
    :param content: the surface, its merge tree, or only its ions.
    :param descriptors: those of ``settings``; None if they do not follow from what there is.
    :param doubts: of the surface.
    :param exports: names of what was exported of it.
    :param seconds: that its ``evaluations`` took.
    """

    keep: str
    content: ScannedIons
    settings: DescriptorSettings
    descriptors: Descriptors | None
    doubts: list[str]
    exports: list[str]
    evaluations: int
    seconds: float

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the content in place of the surface, and then the record, which says of which scan it is.

        :raises ArithmeticError: if a merge tree, as it was written, does not give the descriptors.
        """
        path = checkpoint.folder / self.content.FILE
        with replacing(path) as partial, open(partial, 'wb') as stream:
            self.content.save(stream)
        is_tree = isinstance(self.content, MergeTree)
        if is_tree and describe(MergeTree.load(path), self.settings).as_dict() != self.descriptors.as_dict():
            raise ArithmeticError(f'{path} does not give the descriptors of the grid')
        record = asdict(replace(self, content=None, settings=None, descriptors=None))
        record |= {'settings': self.settings.as_dict(), 'descriptors': self.descriptors.as_dict()}
        write_json(checkpoint.folder / RECORD, record | {'mark': checkpoint.mark, 'content': _sha256(path)})

    @classmethod
    def load(cls, checkpoint: Checkpoint, settings: DescriptorSettings) -> Self | None:
        """What an earlier run left of a scan, with the descriptors of these settings.

        None if there is no record, or if something is damaged or of another scan.
        """
        if checkpoint.folder is None:
            return None
        try:
            record = json.loads((checkpoint.folder / RECORD).read_text())
            kind = KEPT[record['keep']]
            path = checkpoint.folder / kind.FILE
            if record.pop('mark') != checkpoint.mark or record['content'] != _sha256(path):
                return None
            content, descriptors = kind.load(path), None
            if record['settings'] == settings.as_dict():
                descriptors = Descriptors.from_dict(record['descriptors'])
            elif isinstance(content, MergeTree) and content.serves(settings):
                descriptors = describe(content, settings)
            return cls(**record | {'content': content, 'settings': settings, 'descriptors': descriptors})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
