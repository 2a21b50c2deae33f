"""How do the workers' records come into the books, each call once, whatever dies when?

The office runs one drain per node. A batch of records is one unit: details, sums, postings, open
calls and the offset move together or not at all. What the database refuses is retried as it is;
what a record's own content breaks is put into quarantine, and the offset moves on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

import msgspec
import structlog

from tollbridge.core.account import CallAccount
from tollbridge.core.clock import SECOND_US, Clock, SystemClock
from tollbridge.core.evidence import CallEvidence
from tollbridge.core.limits import LeaseCorrection
from tollbridge.recording import segments as files
from tollbridge.recording.calls import Assembler, EndedCall, Unclosable
from tollbridge.recording.logs import CallLogger, log_calls
from tollbridge.recording.record import Ledger, Shelf, UnitBooks, corrections
from tollbridge.recording.records import RecordCodec
from tollbridge.recording.rollups import Days
from tollbridge.recording.segments import Batch, Position, ReadLimits, SegmentReader
from tollbridge.recording.spool import Reach, nothing_happens
from tollbridge.recording.store import RecordingStore, is_database_fault
from tollbridge.storage.unit import Database, Unit
