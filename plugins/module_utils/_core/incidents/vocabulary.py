# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The enumerations of the Graph security API, and what the Defender API and older answers call their members.

Members come from Graph's metadata. Values are read tolerantly: in any case, by any synonym; one that nobody knows yet
passes through, with its first letter made small where it is written like a member of the Defender API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_FUTURE = "unknownFutureValue"

INCIDENT_STATUS = ("active", "resolved", "inProgress", "redirected", _FUTURE, "awaitingAction")
ALERT_STATUS = ("unknown", "new", "inProgress", "resolved", _FUTURE)
SEVERITY = ("unknown", "informational", "low", "medium", "high", _FUTURE)
CLASSIFICATION = ("unknown", "falsePositive", "truePositive", "informationalExpectedActivity", _FUTURE)
DETERMINATION = (
    "unknown",
    "apt",
    "malware",
    "securityPersonnel",
    "securityTesting",
    "unwantedSoftware",
    "other",
    "multiStagedAttack",
    "compromisedAccount",
    "phishing",
    "maliciousUserActivity",
    "notMalicious",
    "notEnoughDataToValidate",
    "confirmedActivity",
    "lineOfBusinessApplication",
    _FUTURE,
)
SERVICE_SOURCE = (
    "unknown",
    "microsoftDefenderForEndpoint",
    "microsoftDefenderForIdentity",
    "microsoftDefenderForCloudApps",
    "microsoftDefenderForOffice365",
    "microsoft365Defender",
    "azureAdIdentityProtection",
    "microsoftAppGovernance",
    "dataLossPrevention",
    _FUTURE,
    "microsoftDefenderForCloud",
    "microsoftSentinel",
    "microsoftInsiderRiskManagement",
    "microsoftThreatIntelligence",
    "microsoftSecurityForAI",
)
DETECTION_SOURCE = (
    "unknown",
    "microsoftDefenderForEndpoint",
    "antivirus",
    "smartScreen",
    "customTi",
    "microsoftDefenderForOffice365",
    "automatedInvestigation",
    "microsoftThreatExperts",
    "customDetection",
    "microsoftDefenderForIdentity",
    "cloudAppSecurity",
    "microsoft365Defender",
    "azureAdIdentityProtection",
    "manual",
    "microsoftDataLossPrevention",
    "appGovernancePolicy",
    "appGovernanceDetection",
    _FUTURE,
    "microsoftDefenderForCloud",
    "microsoftDefenderForIoT",
    "microsoftDefenderForServers",
    "microsoftDefenderForStorage",
    "microsoftDefenderForDNS",
    "microsoftDefenderForDatabases",
    "microsoftDefenderForContainers",
    "microsoftDefenderForNetwork",
    "microsoftDefenderForAppService",
    "microsoftDefenderForKeyVault",
    "microsoftDefenderForResourceManager",
    "microsoftDefenderForApiManagement",
    "nrtAlerts",
    "scheduledAlerts",
    "microsoftDefenderThreatIntelligenceAnalytics",
    "builtInMl",
    "microsoftInsiderRiskManagement",
    "microsoftThreatIntelligence",
    "microsoftDefenderForAIServices",
    "securityCopilot",
    "microsoftSentinel",
)
INVESTIGATION_STATE = (
    "unknown",
    "terminated",
    "successfullyRemediated",
    "benign",
    "failed",
    "partiallyRemediated",
    "running",
    "pendingApproval",
    "pendingResource",
    "queued",
    "innerFailure",
    "preexistingAlert",
    "unsupportedOs",
    "unsupportedAlertType",
    "suppressedAlert",
    "partiallyInvestigated",
    "terminatedByUser",
    "terminatedBySystem",
    _FUTURE,
)
EVIDENCE_VERDICT = ("unknown", "suspicious", "malicious", "noThreatsFound", _FUTURE)
EVIDENCE_REMEDIATION_STATUS = (
    "none",
    "remediated",
    "prevented",
    "blocked",
    "notFound",
    _FUTURE,
    "active",
    "pendingApproval",
    "declined",
    "unremediated",
    "running",
    "partiallyRemediated",
)
EVIDENCE_ROLE = (
    "unknown",
    "contextual",
    "scanned",
    "source",
    "destination",
    "created",
    "added",
    "compromised",
    "edited",
    "attacked",
    "attacker",
    "commandAndControl",
    "loaded",
    "suspicious",
    "policyViolator",
    _FUTURE,
)
DEVICE_HEALTH_STATUS = (
    "active",
    "inactive",
    "impairedCommunication",
    "noSensorData",
    "noSensorDataImpairedCommunication",
    "unknown",
    _FUTURE,
)
DEVICE_RISK_SCORE = ("none", "informational", "low", "medium", "high", _FUTURE)
ONBOARDING_STATUS = ("insufficientInfo", "onboarded", "canBeOnboarded", "unsupported", _FUTURE)
DEFENDER_AV_STATUS = ("notReporting", "disabled", "notUpdated", "updated", "unknown", "notSupported", _FUTURE)
DETECTION_STATUS = ("detected", "blocked", "prevented", _FUTURE)
CORRELATION_REASON = (
    "repeatedAlertOccurrence",
    "sameGeography",
    "similarArtifacts",
    "sameTargetedAsset",
    "sameNetworkSegment",
    "eventSequence",
    "timeFrame",
    "sameThreatSource",
    "similarTTPsOrBehavior",
    "sameActor",
    "sameCampaign",
    "sharedIndicators",
    "sameAsset",
    "networkProximity",
    "eventCasualSequence",
    "temporalProximity",
    "lateralMovementPath",
)

ENUMS: Mapping[str, tuple[str, ...]] = {
    "incident_status": INCIDENT_STATUS,
    "alert_status": ALERT_STATUS,
    "severity": SEVERITY,
    "classification": CLASSIFICATION,
    "determination": DETERMINATION,
    "service_source": SERVICE_SOURCE,
    "detection_source": DETECTION_SOURCE,
    "investigation_state": INVESTIGATION_STATE,
    "verdict": EVIDENCE_VERDICT,
    "remediation_status": EVIDENCE_REMEDIATION_STATUS,
    "role": EVIDENCE_ROLE,
    "health_status": DEVICE_HEALTH_STATUS,
    "risk_score": DEVICE_RISK_SCORE,
    "onboarding_status": ONBOARDING_STATUS,
    "defender_av_status": DEFENDER_AV_STATUS,
    "detection_status": DETECTION_STATUS,
    "correlation_reason": CORRELATION_REASON,
}

# What other answers call a member: the Defender API, its old product names, and older pages of the documentation.
_SYNONYMS: Mapping[str, Mapping[str, str]] = {
    "alert_status": {"Active": "inProgress"},
    "severity": {"UnSpecified": "unknown"},
    "determination": {
        "NotAvailable": "unknown",
        "CompromisedUser": "compromisedAccount",
        "ConfirmedUserActivity": "confirmedActivity",
        "Clean": "notMalicious",
        "NoEnoughDataToValidate": "notEnoughDataToValidate",
        "InsufficientData": "notEnoughDataToValidate",
    },
    "service_source": {
        "MicrosoftDefenderATP": "microsoftDefenderForEndpoint",
        "WindowsDefenderATP": "microsoftDefenderForEndpoint",
        "MicrosoftCloudAppSecurity": "microsoftDefenderForCloudApps",
        "MCAS": "microsoftDefenderForCloudApps",
        "OfficeATP": "microsoftDefenderForOffice365",
        "AzureATP": "microsoftDefenderForIdentity",
        "MTP": "microsoft365Defender",
        "MicrosoftThreatProtection": "microsoft365Defender",
        "AAD Identity Protection": "azureAdIdentityProtection",
        "AppGovernance": "microsoftAppGovernance",
        "MicrosoftDataLossPrevention": "dataLossPrevention",
    },
    "detection_source": {
        "MCAS": "cloudAppSecurity",
        "MicrosoftCloudAppSecurity": "cloudAppSecurity",
        "WindowsDefenderAv": "antivirus",
        "WindowsDefenderAtp": "microsoftDefenderForEndpoint",
        "MicrosoftDefenderATP": "microsoftDefenderForEndpoint",
        "OfficeATP": "microsoftDefenderForOffice365",
        "AzureATP": "microsoftDefenderForIdentity",
        "MTP": "microsoft365Defender",
        "AAD Identity Protection": "azureAdIdentityProtection",
        "WindowsDefenderSmartScreen": "smartScreen",
    },
}

# How the Defender API writes a member in a filter or a body, where a capital first letter is not enough.
_DEFENDER_SPELLING: Mapping[str, Mapping[str, str]] = {
    "severity": {"unknown": "UnSpecified"},
    "determination": {
        "unknown": "NotAvailable",
        "notMalicious": "Clean",
        "notEnoughDataToValidate": "NoEnoughDataToValidate",
    },
}
_DEFENDER_INCIDENT_STATUS = frozenset({"active", "inProgress", "resolved", "redirected"})


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


_LOOKUP: Mapping[str, Mapping[str, str]] = {
    name: {
        **{_letters(synonym): member for synonym, member in _SYNONYMS.get(name, {}).items()},
        **{_letters(member): member for member in members},
    }
    for name, members in ENUMS.items()
}


def member(enum: str, value: Any) -> str | None:
    """Return the member of Graph's enumeration `enum` that `value` stands for, None for None and the empty text.

    :raises KeyError: for an enumeration that is not in `ENUMS`.
    """
    return None if value is None or value == "" else _member(enum, str(value))


@lru_cache(maxsize=4096)
def _member(enum: str, text: str) -> str:
    known = _LOOKUP[enum].get(_letters(text))
    if known is not None:
        return known
    # PascalCase becomes camelCase; an abbreviation (MCAS) and free text stay as they are.
    return text[0].lower() + text[1:] if re.fullmatch(r"[A-Z][a-z][A-Za-z0-9]*", text) else text


def defender_spelling(enum: str, member_name: str) -> str:
    """Return how the Defender API writes a member of Graph's enumeration `enum` (mapping table of both services)."""
    return _DEFENDER_SPELLING.get(enum, {}).get(member_name) or member_name[:1].upper() + member_name[1:]


def defender_knows_status(status: str) -> bool:
    """Whether the Defender API has this status of incidents; a filter with another one would be refused."""
    return status in _DEFENDER_INCIDENT_STATUS
