"""The jobs of a dashboard behind a URL: replicas on any machine share them, and no disk.

The keys come from the environment of the process, as the library of the storage reads them; no
place of ours holds one.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from dashboard.jobs.root import CARDS, JOB, JOBS, PRIVATE_FOLDER, SETTING, UPLOADS
from dashboard.jobs.scratch import Scratch
from kserve_client.errors import ConfigurationError
from kserve_client.scoring.file_systems import is_away, kind_of
from kserve_client.scoring.job import check_job_id
from kserve_client.scoring.job.lock import RENEWALS, Lock, acquire, silence_s
from kserve_client.scoring.job.store import Store, UrlStore, s3_code, without_secrets

_NO_KEYS = frozenset({"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"})
_SET_KEYS = "there are no keys; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the dashboard a role"
_CODE = re.compile(r"[A-Za-z]{3,40}")


class Bucket:
    """A folder behind a URL such as s3://bucket/prefix.

    Nothing is asked of the storage when it is made. Raises ConfigurationError for a URL with a
    password, without a bucket, or of a kind that nothing here can open.
    """

    is_remote = True

    def __init__(self, url: str, taken_over_s: float) -> None:
        scheme = _checked(url)
        self._url = url.rstrip("/")
        self.where = without_secrets(self._url)
        self.schemes = frozenset({scheme})
        self.taken_over_s = taken_over_s
        self.heard_every_s = taken_over_s / RENEWALS
        self.cards: Store = self._store(CARDS)
        self.uploads: Store = self._store(UPLOADS)
        self._scratch = Scratch()
        self._is_checked = False

    def check(self) -> None:
        """Write a small file and remove it; once that went well it is not done again."""
        if self._is_checked:
            return
        probe, store = f".{secrets.token_hex(4)}.tmp", self._store(CARDS)
        try:
            store.read(probe)
        except FileNotFoundError as error:
            if s3_code(error) == "NoSuchBucket":
                raise
        store.put(probe, b"{}")
        store.remove(probe)
        self._is_checked = True

    def words(self, error: OSError) -> str:
        """What went wrong, by its kind: the words of a storage may hold what is secret."""
        kind, bucket = _kind(error), urlsplit(self._url).netloc
        told = {
            "NoSuchBucket": f"there is no bucket {bucket}",
            "ParamValidationError": f"no name of a bucket: {bucket}",
            "RequestTimeTooSkewed": "the clock of this machine is wrong",
            "SSLError": "its certificate is not trusted",
        } | dict.fromkeys(_NO_KEYS, _SET_KEYS)
        if kind in told:
            return told[kind]
        if isinstance(error, PermissionError):
            return f"the keys of the dashboard do not permit that, or are wrong ({kind})"
        if isinstance(error, FileNotFoundError):
            return "a file of it is gone"
        if self.is_away(error):
            return f"it does not answer ({kind})"
        return kind if error.errno is None else f"{os.strerror(error.errno)} ({kind})"

    def is_away(self, error: OSError) -> bool:
        """Whether it did not answer, or was too busy to."""
        return is_away(error)

    def job(self, job_id: str) -> str:
        """The URL of the job itself."""
        return f"{self._folder(job_id)}/{JOB}"

    def near(self, job_id: str) -> Path:
        """A folder among the temporary files of this process."""
        folder = self._near(job_id)
        folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        return folder

    def keep(self, job_id: str, file: str) -> None:
        """Put it into the storage."""
        self._store(JOBS, check_job_id(job_id)).upload(file, self.near(job_id) / file)

    def fetched(self, job_id: str, file: str) -> Path:
        """The file that is near; when another replica had it, it is fetched first."""
        path = self.near(job_id) / file
        if not path.exists():
            draft = path.with_name(f"{file}.{secrets.token_hex(4)}.tmp")
            try:
                self._store(JOBS, check_job_id(job_id)).download(file, draft)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        return path

    def kept(self, job_id: str, file: str) -> str:
        """Its URL."""
        return f"{self._folder(job_id)}/{file}"

    def hold(self, job_id: str) -> Lock:
        """Put a lease beside the job, and renew it."""
        return acquire(self._store(JOBS, check_job_id(job_id), JOB), stale_s=self.taken_over_s)

    def silence_s(self, job_id: str) -> float | None:
        """How old the lease is."""
        return silence_s(self._store(JOBS, check_job_id(job_id), JOB))

    def drop_copies(self, job_id: str) -> None:
        """Remove what is near."""
        shutil.rmtree(self._near(job_id), ignore_errors=True)

    def tidy(self) -> None:
        """Remove what was put near more than a day ago, and results older than an hour."""
        self._scratch.tidy()

    def remove(self, job_id: str) -> None:
        """Remove what is near, and all objects of the job."""
        self.drop_copies(job_id)
        self._store(JOBS, check_job_id(job_id)).clear()

    def ids(self) -> list[str]:
        """The folders below the one of the jobs."""
        return self._store(JOBS).folders()

    def changed_s(self, job_id: str) -> float:
        """When one of its objects was put last."""
        store = self._store(JOBS, check_job_id(job_id))
        marks = [*store.marks("").values(), *store.marks(JOB).values()]
        return max((mark.changed_s for mark in marks), default=0.0) or float("inf")

    def _near(self, job_id: str) -> Path:
        return self._scratch.path / check_job_id(job_id)

    def _folder(self, job_id: str) -> str:
        return f"{self._url}/{JOBS}/{check_job_id(job_id)}"

    def _store(self, *names: str) -> UrlStore:
        return UrlStore("/".join((self._url, *names)), {})


def _kind(error: OSError) -> str:
    """The code that S3 gave, or the name of the class that a library raised."""
    code = s3_code(error)
    return code if _CODE.fullmatch(code) else kind_of(error)


def _checked(url: str) -> str:
    """The scheme of a URL that can be used."""
    parts = urlsplit(url)
    # What "::" joins has users of its own, wherever they stand.
    has_user = "@" in (url if "::" in url else parts.netloc)
    if has_user or parts.query or parts.fragment:
        raise ConfigurationError(
            f"{SETTING} must hold no user, password or query, only a URL such as "
            "s3://bucket/prefix; keys belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if "::" in url or not parts.netloc:
        raise ConfigurationError(
            f"{SETTING} is no URL of a place in a bucket: {url}; write it as s3://bucket/prefix"
        )
    return parts.scheme
