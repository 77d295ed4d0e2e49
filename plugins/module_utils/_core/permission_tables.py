# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The identifiers of the permissions that Microsoft's security APIs publish: data only.

They are the same in every tenant and cloud. A tenant's own service principal of the resource is asked first; these
tables serve where it does not exist yet, where it may not be read, and where nothing may be asked (links, suggestions).
Sources: Microsoft's permission reference and portal manifests. The Microsoft Graph table holds what a partner app
needs, not all of Graph; a permission that is missing here is looked up in the tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .clouds import MICROSOFT_GRAPH, MICROSOFT_THREAT_PROTECTION, WINDOWS_DEFENDER_ATP


@dataclass(frozen=True)
class Resource:
    """An API that apps ask permissions of.

    :param name: how users write it.
    :param app_id: its application id, the same in every tenant.
    :param titles: the names it bears in the portal.
    :param roles: application permissions, value to id.
    :param scopes: delegated permissions, value to id.
    """

    name: str
    app_id: str
    titles: tuple[str, ...]
    roles: Mapping[str, str]
    scopes: Mapping[str, str]


RESOURCES: Mapping[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            name=MICROSOFT_THREAT_PROTECTION,
            app_id="8ee8fdad-f234-4243-8f3b-15c294843740",
            titles=("Microsoft Threat Protection",),
            roles={
                "AdvancedHunting.Read.All": "7734e8e5-8dde-42fc-b5ae-6eafea078693",
                "CustomDetections.ReadWrite.All": "a7deff90-e2f5-4e4e-83a3-2c74e7002e28",
                "Incident.Read.All": "a9790345-4595-42e4-971a-ccdc79f19b7c",
                "Incident.ReadWrite.All": "8d90f441-09cf-4fdc-ab45-e874fa3a28e8",
            },
            scopes={
                "AdvancedHunting.Read": "15f11de4-5113-4268-a2d1-0bad43d781f9",
                "CustomDetections.ReadWrite": "ddbb8d0c-c86b-4ece-bcb7-0f031a9cf103",
                "Incident.Read": "12c153a4-4204-4224-aa3c-4626e2f47c2b",
                "Incident.ReadWrite": "2af415cc-88cf-4146-a0c8-444c3a80d5db",
            },
        ),
        Resource(
            name=WINDOWS_DEFENDER_ATP,
            app_id="fc780465-2017-40d4-a0c5-307022471b92",
            titles=("Windows Defender ATP", "WindowsDefenderATP"),
            # The portal's user roles "readonly" and "secop" are left out: they are for people.
            roles={
                "AdvancedQuery.Read.All": "93489bf5-0fbc-4f2d-b901-33f2fe08ff05",
                "Alert.Read.All": "71fe6b80-7034-4028-9ed8-0f316df9c3ff",
                "Alert.ReadWrite.All": "0f7000ec-157b-497f-b70e-ef0b0584f140",
                "Event.Write": "84ddd701-5fac-4c30-b0ad-aa73a67bea1a",
                "File.Read.All": "8788f1a9-beca-4e26-ba58-10513f3b896f",
                "IntegrationConfiguration.ReadWrite": "7c6f6912-60e9-4fcd-bb2a-c25bc35e8c59",
                "Ip.Read.All": "47bf842d-354b-49ef-b741-3a6dd815bc13",
                "Library.Manage": "41d209c7-2511-4fc9-b899-8008a3976f09",
                "Machine.CollectForensics": "15405ab2-2103-4a3c-ad80-e829841cedcc",
                "Machine.Isolate": "7e4e1300-e1b9-4102-88ba-f0cb6e6d5974",
                "Machine.LiveResponse": "1629b959-c0af-42a1-92f0-f6162060bdf1",
                "Machine.Offboard": "594435bf-36dd-4548-83bd-1bdafe157d7a",
                "Machine.Read.All": "ea8291d3-4b9a-44b5-bc3a-6cea3026dc79",
                "Machine.ReadWrite.All": "aa027352-232b-4ed4-b963-a705fc4d6d2c",
                "Machine.RestrictExecution": "96b6b35d-074d-4e2d-b167-8d68d9269648",
                "Machine.Scan": "a86d9824-b2b6-45f8-b042-16bc4922ed4e",
                "Machine.StopAndQuarantine": "96e72b5e-7e68-4171-aad1-3937599e4751",
                "RemediationTasks.Read.All": "6a33eedf-ba73-4e5a-821b-f057ef63853a",
                "Score.Read.All": "02b005dd-f804-43b4-8fc7-078460413f74",
                "SecurityBaselinesAssessment.Read.All": "e870c0c1-c1a2-41ca-948e-a33912d2d3f0",
                "SecurityConfiguration.Read.All": "227f2ea0-c2c2-4428-b7af-9ff40f1a720e",
                "SecurityConfiguration.ReadWrite.All": "e5e05709-32a3-4c85-89c8-67596eb94f24",
                "SecurityRecommendation.Read.All": "6443965c-7dd2-4cfd-b38f-bb7772bee163",
                "Software.Read.All": "37f71c98-d198-41ae-964d-2c49aab74926",
                "Ti.Read.All": "528ca142-c849-4a5b-935e-10b8b9c38a84",
                "Ti.ReadWrite": "a8bc2240-f96a-46a1-bad5-6a960b7327a1",
                "Ti.ReadWrite.All": "fc511a58-3adf-4d71-af24-00f13e35e479",
                "Url.Read.All": "721af526-ffa8-42d7-9b84-1a56244dd99d",
                "User.Read.All": "a833834a-4cf1-4732-8acf-bbcfa13fb610",
                "Vulnerability.Read.All": "41269fc5-d04d-4bfd-bce7-43a51cea049a",
            },
            scopes={
                "AdvancedQuery.Read": "1fb6e712-1bd9-4184-b1c0-5e71e759196b",
                "Alert.Read": "b2069dc0-9fe9-4e6d-9aca-ccf3dd503819",
                "Alert.ReadWrite": "cbc3b413-21e6-416d-95a4-af87687efbd0",
                "File.Read.All": "8fce64a0-67c8-4e39-8f47-cac9ff7e13bb",
                "IntegrationConfiguration.ReadWrite": "7c6f6912-60e9-4fcd-bb2a-c25bc35e8c59",
                "Ip.Read.All": "b65a97e8-c8e8-4908-b19a-f654615de1a9",
                "Library.Manage": "5998a3da-2c9b-4bf3-99bd-44c9fe337ad2",
                "Machine.CollectForensics": "5eb7b9dc-cbce-4c7e-9d73-5be248260ae6",
                "Machine.Isolate": "479231ef-3b86-4933-ae6b-1fa84bba9e31",
                "Machine.LiveResponse": "25fb0c21-5877-492a-8d0c-e7893a9585cc",
                "Machine.Offboard": "29d1c73a-07f6-495f-b62b-1554a954d0a3",
                "Machine.Read": "fbd3d33a-b1f5-4573-906c-51b39682fbcf",
                "Machine.ReadWrite": "f6846c57-9e3c-4a65-81aa-2f5e09ff4f0b",
                "Machine.RestrictExecution": "abddfa88-80bb-4aef-81ff-18cbf29363a9",
                "Machine.Scan": "b4618115-647e-42a5-bd0d-0ea9878fb376",
                "Machine.StopAndQuarantine": "69e036b7-3f10-4d4c-a85e-82295629eca8",
                "RemediationTasks.Read": "19956c04-168f-4f44-b471-48c8f50dc0c8",
                "Score.Read": "df4ed126-3a4c-460a-b0fc-67aea84fc332",
                "SecurityBaselinesAssessment.Read": "d42e2aa1-a664-43a9-b7c6-2766d44a6687",
                "SecurityConfiguration.Read": "4ac83e46-552f-4948-91c2-f7eaff971018",
                "SecurityConfiguration.ReadWrite": "bfc81a3a-4f6d-4bfe-b945-d7fe6747d2a0",
                "SecurityRecommendation.Read": "1ab96238-1253-4059-a32f-4087f20ed65d",
                "Software.Read": "5f216ada-3f51-4a22-ace5-06b198328476",
                "Ti.ReadWrite": "650ff1f9-dd5f-48ee-8c58-7beef332c818",
                "Url.Read.All": "42b4777c-6196-49ad-9cfc-207e73f2eb61",
                "User.Read.All": "ffd6563e-842b-4cfc-b349-06006e0473a3",
                "Vulnerability.Read": "63a677ce-818c-4409-9d12-5c6d2e2a6bfe",
            },
        ),
        Resource(
            name=MICROSOFT_GRAPH,
            app_id="00000003-0000-0000-c000-000000000000",
            titles=("Microsoft Graph",),
            roles={
                "SecurityIncident.Read.All": "45cc0394-e837-488b-a098-1918f48d186c",
                "SecurityIncident.ReadWrite.All": "34bf0e97-1971-4929-b999-9e2442d941d7",
                "SecurityAlert.Read.All": "472e4a4d-bb4a-4026-98d1-0b0d74cb74a5",
                "SecurityAlert.ReadWrite.All": "ed4fca05-be46-441f-9803-1873825f8fdb",
                "SecurityAlert.Create.All": "06870c4c-7370-4a2a-ad10-239a337af816",
                "SecurityEvents.Read.All": "bf394140-e372-4bf9-a898-299cfc7564e5",
                "SecurityEvents.ReadWrite.All": "d903a879-88e0-4c09-b0c9-82f6a1333f84",
                "ThreatHunting.Read.All": "dd98c7f5-2d42-42d3-a0e4-633161547251",
                "CustomDetection.Read.All": "673a007a-9e0f-4c97-b066-3c0164486909",
                "CustomDetection.ReadWrite.All": "e0fd9c8d-a12e-4cc9-9827-20c8c3cd6fb8",
                "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
                "Application.ReadWrite.All": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
                "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
                "Application.ReadUpdate.All": "fc023787-fd04-4e44-9bc7-d454f00c0f0a",
                "AppRoleAssignment.ReadWrite.All": "06b708a9-e830-4db3-a914-8e69da51d44f",
                "DelegatedPermissionGrant.Read.All": "81b4724a-58aa-41c1-8a55-84ef97466587",
                "DelegatedPermissionGrant.ReadWrite.All": "8e8e4742-1d95-4f68-9d56-6ee75648c72a",
                "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
                "Directory.ReadWrite.All": "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
                "Policy.Read.All": "246dd0d5-5bd0-4def-940b-0421030a5b68",
                "Policy.ReadWrite.ApplicationConfiguration": "be74164b-cff1-491c-8741-e671cb536e13",
                "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
                "DelegatedAdminRelationship.Read.All": "f6e9e124-4586-492f-adc0-c6f96e4823fd",
                "DelegatedAdminRelationship.ReadWrite.All": "cc13eba4-8cd8-44c6-b4d4-f93237adce58",
                "CrossTenantInformation.ReadBasic.All": "cac88765-0581-4025-9725-5ebc13f729ee",
                "MultiTenantOrganization.Read.All": "4f994bc0-31bb-44bb-b480-7a7c1be8c02e",
                "MultiTenantOrganization.ReadBasic.All": "f9c2b2a7-3895-4b2e-80f6-c924b456e50b",
                "MultiTenantOrganization.ReadWrite.All": "920def01-ca61-4d2d-b3df-105b46046a70",
                "AuditLog.Read.All": "b0afded3-3588-46d8-8b3d-9842eff778da",
                "RoleManagement.ReadWrite.Directory": "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8",
            },
            scopes={
                "SecurityIncident.Read.All": "b9abcc4f-94fc-4457-9141-d20ce80ec952",
                "SecurityIncident.ReadWrite.All": "128ca929-1a19-45e6-a3b8-435ec44a36ba",
                "SecurityAlert.Read.All": "bc257fb8-46b4-4b15-8713-01e91bfbe4ea",
                "SecurityAlert.ReadWrite.All": "471f2a7f-2a42-4d45-a2bf-594d0838070d",
                "SecurityAlert.Create.All": "7417b8c6-a088-4c4c-99c7-bca9ab3eb9ba",
                "SecurityEvents.Read.All": "64733abd-851e-478a-bffb-e47a14b18235",
                "SecurityEvents.ReadWrite.All": "6aedf524-7e1c-45a7-bd76-ded8cab8d0fc",
                "ThreatHunting.Read.All": "b152eca8-ea73-4a48-8c98-1a6742673d99",
                "CustomDetection.Read.All": "b13ff42e-f321-4d7d-a462-141c46a1b832",
                "CustomDetection.ReadWrite.All": "c34088fb-0649-4714-af0b-bcbfec155897",
                "Application.Read.All": "c79f8feb-a9db-4090-85f9-90d820caa0eb",
                "Application.ReadWrite.All": "bdfbf15f-ee85-4955-8675-146e8e5296b5",
                "Application.ReadUpdate.All": "0586a906-4d89-4de8-b3c8-1aacdcc0c679",
                "AppRoleAssignment.ReadWrite.All": "84bccea3-f856-4a8a-967b-dbe0a3d53a64",
                "DelegatedPermissionGrant.Read.All": "a197cdc4-a8e8-4d49-9d35-4ca7c83887b4",
                "DelegatedPermissionGrant.ReadWrite.All": "41ce6ca6-6826-4807-84f1-1c82854f7ee5",
                "Directory.Read.All": "06da0dbc-49e2-44d2-8312-53f166ab848a",
                "Directory.ReadWrite.All": "c5366453-9fb0-48a5-a156-24f0c49a4b84",
                "Policy.Read.All": "572fea84-0151-49b2-9301-11cb16974376",
                "Policy.ReadWrite.ApplicationConfiguration": "b27add92-efb2-4f16-84f5-8108ba77985c",
                "Organization.Read.All": "4908d5b9-3fb2-4b1e-9336-1888b7937185",
                "DelegatedAdminRelationship.Read.All": "0c0064ea-477b-4130-82a5-4c2cc4ff68aa",
                "DelegatedAdminRelationship.ReadWrite.All": "885f682f-a990-4bad-a642-36736a74b0c7",
                "CrossTenantInformation.ReadBasic.All": "81594d25-e88e-49cf-ac8c-fecbff49f994",
                "MultiTenantOrganization.Read.All": "526aa72a-5878-49fe-bf4e-357973af9b06",
                "MultiTenantOrganization.ReadBasic.All": "225db56b-15b2-4daa-acb3-0eec2bbe4849",
                "MultiTenantOrganization.ReadWrite.All": "77af1528-84f3-4023-8d90-d219cd433108",
                "AuditLog.Read.All": "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20",
                "User.Read": "e1fe6dd8-ba31-4d61-89e7-88639da4683d",
                "offline_access": "7427e0e9-2fba-42fe-b0c0-848c9e6a8182",
                "openid": "37f7f235-527c-4136-accd-4a02d197296e",
                "profile": "14dad69e-099b-42c9-810b-d002981feec1",
                "email": "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0",
            },
        ),
    )
}

# Application permissions that another resource offers under the same value, so that the value alone is ambiguous
# although these tables know it once: Microsoft Graph has a User.Read.All of its own.
SHARED_VALUES = frozenset({"user.read.all"})
