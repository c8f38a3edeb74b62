"""Node that says which potential computed a number."""

from typing import Self

from aiida.orm import Data
from aiida.orm.nodes.caching import NodeCaching

from aiida_pesfp.data.required import RequiredAttributes, attribute
from aiida_pesfp.potentials.registry import files_of, identify


class PotentialDataCaching(NodeCaching):
    """Two potentials are the same if their content is: names, paths and versions of packages do not matter."""

    def get_objects_to_hash(self) -> dict:
        return {'class': str(self._node.__class__), 'kind': self._node.kind, 'sha256': self._node.sha256}


class PotentialData(RequiredAttributes, Data):
    """A potential: its identity as attributes, its files in the repository.

    Weights inside an installed package are not stored. Name and SHA-256 identify them, and programs refuse others.
    """

    _CLS_NODE_CACHING = PotentialDataCaching
    _REQUIRED = ('name', 'kind', 'sha256', 'package', 'package_version')
    _MAKER = 'from_spec'
    #: Folder of the stored files in a job.
    FOLDER = 'potential'

    @classmethod
    def from_spec(cls, spec: str, sha256: str | None = None) -> Self:
        """An unstored node for a potential by name or path.

        :param spec: what ``pesfp-scan --potential`` takes.
        :param sha256: what the weights must have, see :func:`~aiida_pesfp.potentials.registry.identify`.
        :raises PotentialError: if there is no such potential, it is damaged, or has another hash.
        """
        identity = identify(spec, sha256)
        node = cls(label=identity.name)
        node.base.attributes.set_many({name: getattr(identity, name) for name in cls._REQUIRED})
        for path in files_of(identity):
            node.base.repository.put_object_from_file(path, path.name)
        further = {'variant': identity.variant, 'model': identity.model}
        node.base.attributes.set_many({name: value for name, value in further.items() if value})
        return node

    name = attribute('name', 'Name of the potential, for people.')
    kind = attribute('kind', 'Family that evaluates it: ``sevennet``, ``matgl``, ``ase``, ...')
    sha256 = attribute('sha256', 'SHA-256 of its content.')

    @property
    def spec(self) -> str:
        """What programs take: the folder ``potential`` of the stored files, or the name if there are none."""
        if not self.filenames:
            return self.name
        model, variant = (self.base.attributes.get(name, None) for name in ('model', 'variant'))
        return ':'.join(filter(None, (model, self.FOLDER, variant)))

    @property
    def filenames(self) -> list[str]:
        """Names of the stored files; none if the potential comes with an installed package."""
        return self.base.repository.list_object_names()
