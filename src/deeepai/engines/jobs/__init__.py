"""Work that takes long: durable jobs with files, done in a bounded pool of processes, fairly between accounts."""

from .job import Job, JobState, Refusal, Work
from .jobs import Jobs

__all__ = ["Job", "JobState", "Jobs", "Refusal", "Work"]
