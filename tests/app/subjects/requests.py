"""What every method of the client sends, and what it makes of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from viam_mcp.app import APIKeyAuthorization, Fragment, FragmentHistoryEntry, RobotPart, RobotPartHistoryEntry
from viam_mcp.proto import app as wire
from viam_mcp.proto.app.packages import PACKAGE_TYPE_MODULE

if TYPE_CHECKING:
    from google.protobuf.message import Message

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAMP = {"seconds": int(NOON.timestamp())}
OWNS_LOCATION = wire.Authorization(
    authorization_type="role", authorization_id="location_owner", resource_type="location", resource_id="l",
    organization_id="o", identity_id="u",
)  # fmt: skip
OPERATES_ROBOT = wire.Authorization(
    authorization_type="role", authorization_id="robot_operator", resource_type="robot", resource_id="r",
    organization_id="o", identity_id="v",
)  # fmt: skip
KEY_OWNS_ORGANIZATION = wire.Authorization(
    authorization_type="role", authorization_id="organization_owner", resource_type="organization", resource_id="o",
    organization_id="o", identity_type="api-key",
)  # fmt: skip
PERMISSIONS = wire.AuthorizedPermissions(resource_type="robot", resource_id="r", permissions=["control_robot"])
MODEL = wire.Model(api="rdk:component:base", model="a:b:c")
ORGANIZATION = wire.Organization(id="o", name="org")
LOCATION = wire.Location(id="l", name="place")
AUTH = wire.LocationAuth(location_id="l", secrets=[{"id": "s", "secret": "x"}])
ROBOT = wire.Robot(id="r", name="rover")
PART = wire.RobotPart(id="p", name="rover-main")
FRAGMENT = wire.Fragment(id="f", name="arm")
ITEM = wire.RegistryItem(item_id="a:b")
MODULE = wire.Module(module_id="a:b")
INVITE = wire.OrganizationInvite(email="e")
KEYS = wire.APIKeyWithAuthorizations(api_key={"id": "k", "key": "x"})
SUMMARY = wire.LocationSummary(location_id="l")
TAG = wire.FragmentTag(tag="stable", revision="7")
METADATA = {"aisle": 4, "serviced": None, "gates": ["a", {"b": 1.5}]}
ADDRESS = wire.BillingAddress(address_line_1="1 Dock", city="Rotterdam")
OAUTH = wire.OAuthConfig(pkce=wire.PKCE_REQUIRED, redirect_uris=["https://fleet.example/callback"])

# method(arguments) -> request, reply of the server, what the method returns.
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], Message, Message, Any]] = []


def sends(
    method: str, *args: Any, request: Message, gets: Message | None = None, gives: Any = None, **kwargs: Any
) -> None:
    response = gets or getattr(wire, type(request).__name__.removesuffix("Request") + "Response")()
    CALLS.append((method, args, kwargs, request, response, gives))


# fmt: off
sends("get_user_id_by_email", "e", request=wire.GetUserIDByEmailRequest(email="e"),
      gets=wire.GetUserIDByEmailResponse(user_id="u"), gives="u")
sends("create_organization", "org", request=wire.CreateOrganizationRequest(name="org"),
      gets=wire.CreateOrganizationResponse(organization=ORGANIZATION), gives=ORGANIZATION)
sends("list_organizations", request=wire.ListOrganizationsRequest(),
      gets=wire.ListOrganizationsResponse(organizations=[ORGANIZATION]), gives=[ORGANIZATION])
sends("get_organizations_with_access_to_location", "l",
      request=wire.GetOrganizationsWithAccessToLocationRequest(location_id="l"),
      gets=wire.GetOrganizationsWithAccessToLocationResponse(organization_identities=[{"id": "o"}]),
      gives=[wire.OrganizationIdentity(id="o")])
sends("list_organizations_by_user", "u", request=wire.ListOrganizationsByUserRequest(user_id="u"),
      gets=wire.ListOrganizationsByUserResponse(orgs=[{"org_id": "o"}]), gives=[wire.OrgDetails(org_id="o")])
sends("get_organization", "o", request=wire.GetOrganizationRequest(organization_id="o"),
      gets=wire.GetOrganizationResponse(organization=ORGANIZATION), gives=ORGANIZATION)
sends("get_organization_namespace_availability", "n",
      request=wire.GetOrganizationNamespaceAvailabilityRequest(public_namespace="n"),
      gets=wire.GetOrganizationNamespaceAvailabilityResponse(available=True), gives=True)
sends("update_organization", "o", request=wire.UpdateOrganizationRequest(organization_id="o"),
      gets=wire.UpdateOrganizationResponse(organization=ORGANIZATION), gives=ORGANIZATION)
sends("update_organization", "o", "org", "n", "r", "c", [],
      request=wire.UpdateOrganizationRequest(organization_id="o", name="org", public_namespace="n", region="r",
      cid="c", default_fragments=wire.FragmentImportList()), gives=wire.Organization())
sends("update_organization", "o", default_fragments=[wire.FragmentImport(fragment_id="f")],
      request=wire.UpdateOrganizationRequest(organization_id="o",
      default_fragments=wire.FragmentImportList(fragments=[{"fragment_id": "f"}])), gives=wire.Organization())
sends("delete_organization", "o", request=wire.DeleteOrganizationRequest(organization_id="o"))
sends("list_organization_members", "o", request=wire.ListOrganizationMembersRequest(organization_id="o"),
      gets=wire.ListOrganizationMembersResponse(members=[{"user_id": "u"}], invites=[INVITE]),
      gives=([wire.OrganizationMember(user_id="u")], [INVITE]))
sends("create_organization_invite", "o", "e", request=wire.CreateOrganizationInviteRequest(organization_id="o",
      email="e", send_email_invite=True), gets=wire.CreateOrganizationInviteResponse(invite=INVITE), gives=INVITE)
sends("create_organization_invite", "o", "e", [OWNS_LOCATION], False,
      request=wire.CreateOrganizationInviteRequest(organization_id="o", email="e", authorizations=[OWNS_LOCATION],
      send_email_invite=False), gives=wire.OrganizationInvite())
sends("update_organization_invite_authorizations", "o", "e", [OWNS_LOCATION], [OPERATES_ROBOT],
      request=wire.UpdateOrganizationInviteAuthorizationsRequest(organization_id="o", email="e",
      add_authorizations=[OWNS_LOCATION], remove_authorizations=[OPERATES_ROBOT]),
      gets=wire.UpdateOrganizationInviteAuthorizationsResponse(invite=INVITE), gives=INVITE)
sends("delete_organization_member", "o", "u", request=wire.DeleteOrganizationMemberRequest(organization_id="o",
      user_id="u"))
sends("delete_organization_invite", "o", "e", request=wire.DeleteOrganizationInviteRequest(organization_id="o",
      email="e"))
sends("resend_organization_invite", "o", "e", request=wire.ResendOrganizationInviteRequest(organization_id="o",
      email="e"), gets=wire.ResendOrganizationInviteResponse(invite=INVITE), gives=INVITE)
sends("create_location", "o", "place", request=wire.CreateLocationRequest(organization_id="o", name="place"),
      gets=wire.CreateLocationResponse(location=LOCATION), gives=LOCATION)
sends("create_location", "o", "place", "l", request=wire.CreateLocationRequest(organization_id="o", name="place",
      parent_location_id="l"), gives=wire.Location())
sends("get_location", "l", request=wire.GetLocationRequest(location_id="l"),
      gets=wire.GetLocationResponse(location=LOCATION), gives=LOCATION)
sends("update_location", "l", "place", request=wire.UpdateLocationRequest(location_id="l", name="place"),
      gets=wire.UpdateLocationResponse(location=LOCATION), gives=LOCATION)
sends("update_location", "l", "", "", request=wire.UpdateLocationRequest(location_id="l", name="",
      parent_location_id=""), gives=wire.Location())
sends("delete_location", "l", request=wire.DeleteLocationRequest(location_id="l"))
sends("list_locations", "o", request=wire.ListLocationsRequest(organization_id="o"),
      gets=wire.ListLocationsResponse(locations=[LOCATION]), gives=[LOCATION])
sends("share_location", "o", "l", request=wire.ShareLocationRequest(organization_id="o", location_id="l"))
sends("unshare_location", "o", "l", request=wire.UnshareLocationRequest(organization_id="o", location_id="l"))
sends("location_auth", "l", request=wire.LocationAuthRequest(location_id="l"),
      gets=wire.LocationAuthResponse(auth=AUTH), gives=AUTH)
sends("create_location_secret", "l", request=wire.CreateLocationSecretRequest(location_id="l"),
      gets=wire.CreateLocationSecretResponse(auth=AUTH), gives=AUTH)
sends("delete_location_secret", "s", "l", request=wire.DeleteLocationSecretRequest(secret_id="s",
      location_id="l"))
sends("get_robot", "r", request=wire.GetRobotRequest(id="r"), gets=wire.GetRobotResponse(robot=ROBOT),
      gives=ROBOT)
sends("get_rover_rental_robots", "o", request=wire.GetRoverRentalRobotsRequest(org_id="o"),
      gets=wire.GetRoverRentalRobotsResponse(robots=[{"robot_id": "r"}]),
      gives=[wire.RoverRentalRobot(robot_id="r")])
sends("get_robot_parts", "r", request=wire.GetRobotPartsRequest(robot_id="r"),
      gets=wire.GetRobotPartsResponse(parts=[PART]), gives=[RobotPart(PART)])
sends("get_robot_part", "p", request=wire.GetRobotPartRequest(id="p"), gets=wire.GetRobotPartResponse(part=PART),
      gives=RobotPart(PART))
sends("get_robot_part_logs", "p", request=wire.GetRobotPartLogsRequest(id="p", limit=100), gives=[])
sends("robot_part_logs_page", "p", request=wire.GetRobotPartLogsRequest(id="p"), gives=[])
sends("get_robot_part_history", "p", NOON, NOON, 3, request=wire.GetRobotPartHistoryRequest(id="p", start=STAMP,
      end=STAMP, page_limit=3), gets=wire.GetRobotPartHistoryResponse(history=[{"part": "p"}]),
      gives=[RobotPartHistoryEntry(wire.RobotPartHistoryEntry(part="p"))])
sends("robot_part_history_page", "p", page_token="t", request=wire.GetRobotPartHistoryRequest(id="p",
      page_token="t"), gives=[])
sends("update_robot_part", "p", "arm", request=wire.UpdateRobotPartRequest(id="p", name="arm"),
      gets=wire.UpdateRobotPartResponse(part=PART), gives=RobotPart(PART))
sends("update_robot_part", "p", "arm", {}, request=wire.UpdateRobotPartRequest(id="p", name="arm",
      robot_config={}), gives=RobotPart(wire.RobotPart()))
sends("update_robot_part", "p", "arm", {"a": [1, None]}, NOON, '{"a": 1}',
      request=wire.UpdateRobotPartRequest(id="p", name="arm", robot_config={"a": [1, None]},
      last_known_update=STAMP, robot_config_json='{"a": 1}'), gives=RobotPart(wire.RobotPart()))
sends("new_robot_part", "r", "arm", request=wire.NewRobotPartRequest(robot_id="r", part_name="arm"),
      gets=wire.NewRobotPartResponse(part_id="p"), gives="p")
sends("delete_robot_part", "p", request=wire.DeleteRobotPartRequest(part_id="p"))
sends("get_robot_api_keys", "r", request=wire.GetRobotAPIKeysRequest(robot_id="r"),
      gets=wire.GetRobotAPIKeysResponse(api_keys=[KEYS]), gives=[KEYS])
sends("mark_part_as_main", "p", request=wire.MarkPartAsMainRequest(part_id="p"))
sends("mark_part_for_restart", "p", request=wire.MarkPartForRestartRequest(part_id="p"))
sends("create_robot_part_secret", "p", request=wire.CreateRobotPartSecretRequest(part_id="p"),
      gets=wire.CreateRobotPartSecretResponse(part=PART), gives=RobotPart(PART))
sends("delete_robot_part_secret", "p", "s", request=wire.DeleteRobotPartSecretRequest(part_id="p", secret_id="s"))
sends("list_robots", "l", request=wire.ListRobotsRequest(location_id="l"),
      gets=wire.ListRobotsResponse(robots=[ROBOT]), gives=[ROBOT])
sends("list_machine_summaries", "o", fragment_ids=["f"], location_ids=["l"], limit=7,
      request=wire.ListMachineSummariesRequest(organization_id="o", fragment_ids=["f"], location_ids=["l"],
      limit=7), gets=wire.ListMachineSummariesResponse(location_summaries=[SUMMARY]), gives=[SUMMARY])
sends("new_robot", "rover", "l", request=wire.NewRobotRequest(name="rover", location="l"),
      gets=wire.NewRobotResponse(id="r"), gives="r")
sends("update_robot", "r", "rover", "l", request=wire.UpdateRobotRequest(id="r", name="rover", location="l"),
      gets=wire.UpdateRobotResponse(robot=ROBOT), gives=ROBOT)
sends("delete_robot", "r", request=wire.DeleteRobotRequest(id="r"))
sends("list_fragments", "o", request=wire.ListFragmentsRequest(organization_id="o", show_public=True),
      gets=wire.ListFragmentsResponse(fragments=[FRAGMENT]), gives=[Fragment(FRAGMENT)])
sends("list_fragments", "o", False, [Fragment.Visibility.PRIVATE, Fragment.Visibility.PUBLIC_UNLISTED],
      request=wire.ListFragmentsRequest(organization_id="o",
      fragment_visibility=[wire.FRAGMENT_VISIBILITY_PRIVATE, wire.FRAGMENT_VISIBILITY_PUBLIC_UNLISTED]), gives=[])
sends("get_fragment", "f", "v", request=wire.GetFragmentRequest(id="f", version="v"),
      gets=wire.GetFragmentResponse(fragment=FRAGMENT), gives=Fragment(FRAGMENT))
sends("fragment_details", "f", request=wire.GetFragmentRequest(id="f"),
      gets=wire.GetFragmentResponse(tags=[{"tag": "stable"}]),
      gives=wire.GetFragmentResponse(tags=[{"tag": "stable"}]))
sends("create_fragment", "o", "arm", request=wire.CreateFragmentRequest(organization_id="o", name="arm"),
      gets=wire.CreateFragmentResponse(fragment=FRAGMENT), gives=Fragment(FRAGMENT))
sends("create_fragment", "o", "arm", {}, request=wire.CreateFragmentRequest(organization_id="o", name="arm",
      config={}), gives=Fragment(wire.Fragment()))
sends("update_fragment", "f", "arm", request=wire.UpdateFragmentRequest(id="f", name="arm"),
      gets=wire.UpdateFragmentResponse(fragment=FRAGMENT), gives=Fragment(FRAGMENT))
sends("update_fragment", "f", "arm", {}, False, Fragment.Visibility.PUBLIC, NOON,
      request=wire.UpdateFragmentRequest(id="f", name="arm", config={}, public=False,
      visibility=wire.FRAGMENT_VISIBILITY_PUBLIC,
      last_known_update=STAMP), gives=Fragment(wire.Fragment()))
sends("delete_fragment", "f", request=wire.DeleteFragmentRequest(id="f"))
sends("get_fragment_history", "f", request=wire.GetFragmentHistoryRequest(id="f", page_limit=10),
      gets=wire.GetFragmentHistoryResponse(history=[{"fragment": "f"}]),
      gives=[FragmentHistoryEntry(wire.FragmentHistoryEntry(fragment="f"))])
sends("get_fragment_history", "f", "t", None, request=wire.GetFragmentHistoryRequest(id="f", page_token="t"),
      gives=[])
sends("add_role", "o", "u", "owner", "location", "l", request=wire.AddRoleRequest(authorization=OWNS_LOCATION))
sends("remove_role", "o", "u", "owner", "location", "l",
      request=wire.RemoveRoleRequest(authorization=OWNS_LOCATION))
sends("change_role", "o", "u", "owner", "location", "l", "v", "operator", "robot", "r",
      request=wire.ChangeRoleRequest(old_authorization=OWNS_LOCATION, new_authorization=OPERATES_ROBOT))
sends("list_authorizations", "o", request=wire.ListAuthorizationsRequest(organization_id="o"),
      gets=wire.ListAuthorizationsResponse(authorizations=[OWNS_LOCATION]), gives=[OWNS_LOCATION])
sends("list_authorizations", "o", ["l"], gives=[], request=wire.ListAuthorizationsRequest(organization_id="o",
      resource_ids=["l"]))
sends("check_permissions", [PERMISSIONS], request=wire.CheckPermissionsRequest(permissions=[PERMISSIONS]),
      gets=wire.CheckPermissionsResponse(authorized_permissions=[PERMISSIONS]), gives=[PERMISSIONS])
sends("get_registry_item", "a:b", request=wire.GetRegistryItemRequest(item_id="a:b",
      include_markdown_documentation=False), gets=wire.GetRegistryItemResponse(item=ITEM), gives=ITEM)
sends("create_registry_item", "o", "b", PACKAGE_TYPE_MODULE,
      request=wire.CreateRegistryItemRequest(organization_id="o", name="b", type=PACKAGE_TYPE_MODULE))
sends("update_registry_item", "a:b", PACKAGE_TYPE_MODULE, "d", wire.VISIBILITY_PUBLIC,
      request=wire.UpdateRegistryItemRequest(item_id="a:b", type=PACKAGE_TYPE_MODULE, description="d",
      visibility=wire.VISIBILITY_PUBLIC))
sends("list_registry_items", "o", [PACKAGE_TYPE_MODULE], [wire.VISIBILITY_PRIVATE], ["linux/any"],
      [wire.REGISTRY_ITEM_STATUS_PUBLISHED], "s", "t", request=wire.ListRegistryItemsRequest(organization_id="o",
      types=[PACKAGE_TYPE_MODULE], visibilities=[wire.VISIBILITY_PRIVATE], platforms=["linux/any"],
      statuses=[wire.REGISTRY_ITEM_STATUS_PUBLISHED], search_term="s", page_token="t"),
      gets=wire.ListRegistryItemsResponse(items=[ITEM]), gives=[ITEM])
sends("delete_registry_item", "a:b", request=wire.DeleteRegistryItemRequest(item_id="a:b"))
sends("create_module", "o", "b", request=wire.CreateModuleRequest(organization_id="o", name="b"),
      gets=wire.CreateModuleResponse(module_id="a:b", url="w"), gives=("a:b", "w"))
sends("update_module", "a:b", "w", "d", [MODEL], "run.sh", True, request=wire.UpdateModuleRequest(module_id="a:b",
      url="w", description="d", models=[MODEL], entrypoint="run.sh", visibility=wire.VISIBILITY_PUBLIC),
      gets=wire.UpdateModuleResponse(url="w"), gives="w")
sends("update_module", "a:b", "w", "d", None, "run.sh", gives="", request=wire.UpdateModuleRequest(module_id="a:b",
      url="w", description="d", entrypoint="run.sh", visibility=wire.VISIBILITY_PRIVATE))
sends("upload_module_file", wire.ModuleFileInfo(module_id="a:b"), b"",
      request=wire.UploadModuleFileRequest(module_file_info={"module_id": "a:b"}),
      gets=wire.UploadModuleFileResponse(url="w"), gives="w")
sends("get_module", "a:b", request=wire.GetModuleRequest(module_id="a:b"),
      gets=wire.GetModuleResponse(module=MODULE), gives=MODULE)
sends("list_modules", "o", request=wire.ListModulesRequest(organization_id="o"),
      gets=wire.ListModulesResponse(modules=[MODULE]), gives=[MODULE])
sends("create_key", "o", [APIKeyAuthorization("owner", "organization", "o")], "mine",
      request=wire.CreateKeyRequest(authorizations=[KEY_OWNS_ORGANIZATION], name="mine"),
      gets=wire.CreateKeyResponse(key="x", id="k"), gives=("x", "k"))
sends("delete_key", "k", request=wire.DeleteKeyRequest(id="k"))
sends("create_key_from_existing_key_authorizations", "k",
      request=wire.CreateKeyFromExistingKeyAuthorizationsRequest(id="k"),
      gets=wire.CreateKeyFromExistingKeyAuthorizationsResponse(key="x", id="k2"), gives=("x", "k2"))
sends("list_keys", "o", request=wire.ListKeysRequest(org_id="o"), gets=wire.ListKeysResponse(api_keys=[KEYS]),
      gives=[KEYS])
sends("rotate_key", "k", request=wire.RotateKeyRequest(id="k"), gets=wire.RotateKeyResponse(key="x", id="k"),
      gives=("x", "k"))
sends("search_organizations", "o", "org", "c", "n", request=wire.SearchOrganizationsRequest(org_id="o", org_name="org",
      cid="c", public_namespace="n"), gets=wire.SearchOrganizationsResponse(organizations=[{"org_id": "o"}]),
      gives=[wire.OrgDetails(org_id="o")])
sends("search_organizations", org_name="org", request=wire.SearchOrganizationsRequest(org_name="org"), gives=[])
sends("update_organization_namespace", "o", "n", request=wire.UpdateOrganizationNamespaceRequest(organization_id="o",
      new_public_namespace="n"), gets=wire.UpdateOrganizationNamespaceResponse(organization=ORGANIZATION),
      gives=ORGANIZATION)
sends("list_robots_for_locations", ["l", "m"], request=wire.ListRobotsForLocationsRequest(location_ids=["l", "m"]),
      gets=wire.ListRobotsForLocationsResponse(robots=[ROBOT]), gives=[ROBOT])
sends("list_robots_for_org", "o", request=wire.ListRobotsForOrgRequest(org_id="o"),
      gets=wire.ListRobotsForOrgResponse(robots=[ROBOT]), gives=[ROBOT])
sends("get_robot_part_by_name_and_location", "arm", "l",
      request=wire.GetRobotPartByNameAndLocationRequest(name="arm", location_id="l"),
      gets=wire.GetRobotPartByNameAndLocationResponse(part=PART), gives=RobotPart(PART))
sends("set_config_property", "p", {"a.b": [1.5, None], "c": None}, request=wire.SetConfigPropertyRequest(
      robot_part_id="p", property_changes=[{"path": "a.b", "value": {"list_value": [1.5, None]}},
      {"path": "c", "value": {"null_value": 0}}]),
      gets=wire.SetConfigPropertyResponse(property_changes=[{"path": "a.b", "success": True}]),
      gives=[wire.ConfigPropertyChangeResult(path="a.b", success=True)])
sends("list_nested_fragments", "f", [wire.AdditionalFragment(fragment_id="g", version="v")],
      request=wire.ListNestedFragmentsRequest(fragment_id="f", additional_fragments=[{"fragment_id": "g",
      "version": "v"}]), gets=wire.ListNestedFragmentsResponse(fragments=[FRAGMENT]),
      gives=wire.ListNestedFragmentsResponse(fragments=[FRAGMENT]))
sends("list_nested_fragments", request=wire.ListNestedFragmentsRequest(), gives=wire.ListNestedFragmentsResponse())
sends("list_machine_fragments", "r", ["f"], [wire.AdditionalFragment(fragment_id="g")],
      request=wire.ListMachineFragmentsRequest(machine_id="r", additional_fragment_ids=["f"],
      additional_fragments=[{"fragment_id": "g"}]), gets=wire.ListMachineFragmentsResponse(fragments=[FRAGMENT]),
      gives=wire.ListMachineFragmentsResponse(fragments=[FRAGMENT]))
sends("get_fragment_usage", "f", request=wire.GetFragmentUsageRequest(fragment_id="f"),
      gets=wire.GetFragmentUsageResponse(version_usages=[{"fragment_id": "f", "machines": 3}]),
      gives=[wire.FragmentUsage(fragment_id="f", machines=3)])
sends("set_fragment_tag", "f", "stable", "7", request=wire.SetFragmentTagRequest(fragment_id="f", tag="stable",
      revision="7"), gets=wire.SetFragmentTagResponse(tags=[TAG]), gives=[TAG])
sends("delete_fragment_tag", "f", "stable", request=wire.DeleteFragmentTagRequest(fragment_id="f", tag="stable"),
      gets=wire.DeleteFragmentTagResponse(tags=[TAG]), gives=[TAG])
sends("rename_registry_item", "a:b", "c", request=wire.RenameRegistryItemRequest(item_id="a:b", new_name="c"),
      gets=wire.RenameRegistryItemResponse(item=ITEM), gives=ITEM)
sends("transfer_registry_item", "a:b", "n", request=wire.TransferRegistryItemRequest(item_id="a:b",
      new_public_namespace="n"))
sends("deprecate_registry_item", "a:b", "why", request=wire.DeprecateRegistryItemRequest(item_id="a:b",
      message="why"))
sends("undeprecate_registry_item", "a:b", request=wire.UndeprecateRegistryItemRequest(item_id="a:b"))
sends("deprecate_registry_item_version", "a:b", "1.0.0", "why",
      request=wire.DeprecateRegistryItemVersionRequest(item_id="a:b", version="1.0.0", message="why"))
sends("undeprecate_registry_item_version", "a:b", "1.0.0",
      request=wire.UndeprecateRegistryItemVersionRequest(item_id="a:b", version="1.0.0"))
sends("rename_key", "k", "ours", request=wire.RenameKeyRequest(id="k", name="ours"),
      gets=wire.RenameKeyResponse(id="k", name="ours"), gives=wire.RenameKeyResponse(id="k", name="ours"))
sends("get_organization_metadata", "o", request=wire.GetOrganizationMetadataRequest(organization_id="o"),
      gets=wire.GetOrganizationMetadataResponse(data=METADATA), gives=METADATA)
sends("get_organization_metadata", "o", request=wire.GetOrganizationMetadataRequest(organization_id="o"), gives={})
sends("update_organization_metadata", "o", METADATA,
      request=wire.UpdateOrganizationMetadataRequest(organization_id="o", data=METADATA))
sends("update_organization_metadata", "o", {},
      request=wire.UpdateOrganizationMetadataRequest(organization_id="o", data={}))
sends("get_location_metadata", "l", request=wire.GetLocationMetadataRequest(location_id="l"),
      gets=wire.GetLocationMetadataResponse(data=METADATA), gives=METADATA)
sends("update_location_metadata", "l", METADATA,
      request=wire.UpdateLocationMetadataRequest(location_id="l", data=METADATA))
sends("get_robot_metadata", "r", request=wire.GetRobotMetadataRequest(id="r"),
      gets=wire.GetRobotMetadataResponse(data=METADATA), gives=METADATA)
sends("update_robot_metadata", "r", METADATA, request=wire.UpdateRobotMetadataRequest(id="r", data=METADATA))
sends("get_robot_part_metadata", "p", request=wire.GetRobotPartMetadataRequest(id="p"),
      gets=wire.GetRobotPartMetadataResponse(data=METADATA), gives=METADATA)
sends("update_robot_part_metadata", "p", METADATA,
      request=wire.UpdateRobotPartMetadataRequest(id="p", data=METADATA))
sends("enable_billing_service", "o", ADDRESS, request=wire.EnableBillingServiceRequest(org_id="o",
      billing_address=ADDRESS))
sends("disable_billing_service", "o", request=wire.DisableBillingServiceRequest(org_id="o"))
sends("update_billing_service", "o", ADDRESS, request=wire.UpdateBillingServiceRequest(org_id="o",
      billing_address=ADDRESS))
sends("get_billing_service_config", "o", request=wire.GetBillingServiceConfigRequest(org_id="o"),
      gets=wire.GetBillingServiceConfigResponse(billing_address=ADDRESS),
      gives=wire.GetBillingServiceConfigResponse(billing_address=ADDRESS))
sends("organization_set_support_email", "o", "e", request=wire.OrganizationSetSupportEmailRequest(org_id="o",
      email="e"))
sends("organization_get_support_email", "o", request=wire.OrganizationGetSupportEmailRequest(org_id="o"),
      gets=wire.OrganizationGetSupportEmailResponse(email="e"), gives="e")
sends("organization_set_logo", "o", b"\x89PNG", request=wire.OrganizationSetLogoRequest(org_id="o", logo=b"\x89PNG"))
sends("organization_get_logo", "o", request=wire.OrganizationGetLogoRequest(org_id="o"),
      gets=wire.OrganizationGetLogoResponse(url="w"), gives="w")
sends("get_app_content", "n", "scan", request=wire.GetAppContentRequest(public_namespace="n", name="scan"),
      gets=wire.GetAppContentResponse(entrypoint="index.html"),
      gives=wire.GetAppContentResponse(entrypoint="index.html"))
sends("get_app_branding", "n", "scan", request=wire.GetAppBrandingRequest(public_namespace="n", name="scan"),
      gets=wire.GetAppBrandingResponse(logo_path="l.png"), gives=wire.GetAppBrandingResponse(logo_path="l.png"))
sends("enable_auth_service", "o", request=wire.EnableAuthServiceRequest(org_id="o"))
sends("disable_auth_service", "o", request=wire.DisableAuthServiceRequest(org_id="o"))
sends("create_oauth_app", "o", "ours", OAUTH, request=wire.CreateOAuthAppRequest(org_id="o", client_name="ours",
      oauth_config=OAUTH), gets=wire.CreateOAuthAppResponse(client_id="c", client_secret="x"),
      gives=wire.CreateOAuthAppResponse(client_id="c", client_secret="x"))
sends("read_oauth_app", "o", "c", request=wire.ReadOAuthAppRequest(org_id="o", client_id="c"),
      gets=wire.ReadOAuthAppResponse(client_name="ours"), gives=wire.ReadOAuthAppResponse(client_name="ours"))
sends("update_oauth_app", "o", "c", "ours", OAUTH, request=wire.UpdateOAuthAppRequest(org_id="o", client_id="c",
      client_name="ours", oauth_config=OAUTH))
sends("delete_oauth_app", "o", "c", request=wire.DeleteOAuthAppRequest(org_id="o", client_id="c"))
sends("list_oauth_apps", "o", request=wire.ListOAuthAppsRequest(org_id="o"),
      gets=wire.ListOAuthAppsResponse(client_ids=["c"]), gives=["c"])
sends("create_oauth_app_user", "o", "c", "e", "first", "last", "x",
      request=wire.CreateOAuthAppUserRequest(org_id="o", application_id="c", email="e", first_name="first",
      last_name="last", password="x"), gets=wire.CreateOAuthAppUserResponse(user_id="u"),
      gives=wire.CreateOAuthAppUserResponse(user_id="u"))
sends("add_favorite_machine", "r", request=wire.AddFavoriteMachineRequest(machine_id="r"))
sends("remove_favorite_machine", "r", request=wire.RemoveFavoriteMachineRequest(machine_id="r"))
sends("list_favorite_machines", request=wire.ListFavoriteMachinesRequest(),
      gets=wire.ListFavoriteMachinesResponse(favorites=[{"machine": ROBOT}]),
      gives=[wire.FavoriteMachine(machine=ROBOT)])
sends("upload_device_push_token", "a", "x", "d", request=wire.UploadDevicePushTokenRequest(app_id="a",
      device_token="x", device_uuid="d"))
sends("delete_device_push_token", "a", "d", request=wire.DeleteDevicePushTokenRequest(app_id="a", device_uuid="d"))
sends("get_device_push_tokens", "a", request=wire.GetDevicePushTokensRequest(app_id="a"),
      gets=wire.GetDevicePushTokensResponse(device_tokens=["x"]), gives=["x"])
sends("set_firebase_config", "o", "a", "{}", request=wire.SetFirebaseConfigRequest(org_id="o", app_id="a",
      config_json="{}"))
sends("get_firebase_config", "o", request=wire.GetFirebaseConfigRequest(org_id="o"),
      gets=wire.GetFirebaseConfigResponse(app_id="a"), gives="a")
sends("delete_firebase_config", "o", "a", request=wire.DeleteFirebaseConfigRequest(org_id="o", app_id="a"))
# fmt: on
