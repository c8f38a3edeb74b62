"""Models of matgl (Ko et al., doi:10.1038/s41524-025-01742-y)."""

from pathlib import Path

from aiida_pesfp.errors import PotentialError
from aiida_pesfp.potentials.archives import names_in
from aiida_pesfp.potentials.base import Family

#: What a model is saved as.
FILES = ('model.json', 'model.pt', 'state.pt')
#: Organisation of matgl's own models on the Hugging Face Hub.
_ORGANISATION = 'materialyze'


class MatglFamily(Family):
    """Folders that ``matgl`` has saved, and its models on the Hugging Face Hub."""

    kind, package = 'matgl', 'matgl'
    implementation = 'aiida_pesfp.potentials.matgl.potential:MatglPotential'
    accepts = f'a matgl model: a folder of {", ".join(FILES)}, or a name on the Hugging Face Hub'

    def recognises(self, path: Path) -> bool:
        return (path / FILES[0]).is_file()

    def files(self, path: Path) -> list[Path]:
        return [path / name for name in FILES]

    def sha256(self, path: Path) -> str:
        for file in self.files(path):
            if not file.is_file() or (file.suffix == '.pt' and not names_in(file)):
                raise PotentialError(f'{file} is missing or damaged: fetch the model again')
        return super().sha256(path)

    def online(self, name: str) -> Path:
        from huggingface_hub import snapshot_download

        repository = name if '/' in name else f'{_ORGANISATION}/{name}'
        try:
            return Path(snapshot_download(repository, allow_patterns=list(FILES), etag_timeout=10))
        except Exception as error:  # the client raises its own, the HTTP library's and the system's errors
            reason = f'could not be fetched from the Hugging Face Hub ({type(error).__name__})'
            raise PotentialError(f'the matgl model {repository} {reason}') from error
