// What happened to an account, in words for people; a name that is not known here is shown as it is in the log.

const WORDS: Record<string, string> = {
  UserRegistered: "Registered",
  SessionStarted: "Signed in",
  SessionRefreshed: "Went on with a session",
  SessionEnded: "A session ended",
  PasswordChanged: "The password was changed",
  PasswordResetRequested: "A link for a new password was asked for",
  EmailConfirmationRequested: "A link to confirm the e-mail address was asked for",
  EmailConfirmed: "The e-mail address was confirmed",
  ProfileChanged: "The profile was changed",
  AvatarChanged: "The picture was changed",
  AvatarRemoved: "The picture was removed",
  PreferencesChanged: "The preferences were changed",
  ApiKeyCreated: "An API key was made",
  ApiKeyRevoked: "An API key was revoked",
  IdentityLinked: "Another provider was linked",
  IdentityUnlinked: "Another provider was unlinked",
  RoleChanged: "The role was changed",
  UserDisabled: "The account was locked",
  UserEnabled: "The account was unlocked",
  UserDeleted: "The account was deleted",
  UserRestored: "The account was restored",
  UserErased: "Everything about the person was erased",
};

export function happeningText(event: string, detail: string | null): string {
  const text = WORDS[event] ?? event.replace(/([a-z])([A-Z])/g, "$1 $2");
  return detail ? `${text}: ${detail.replaceAll("_", " ")}` : text;
}
