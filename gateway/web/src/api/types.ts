// The shapes that the gateway takes and answers with, under the names that the pages use.
import type { components } from "./generated/schema.ts";

type Schemas = components["schemas"];
type Whole<T> = { [Field in keyof T]-?: NonNullable<T[Field]> };

export type User = Schemas["User"];
/** Where somebody's picture is, if there is one. */
export type Pictured = Pick<User, "avatar_url">;
export type SignedIn = Schemas["SignedIn"];
export type Renewal = Schemas["Renewal"];
export type Registration = Schemas["Registration"];
export type Visibility = Schemas["Visibility"];
export type Video = Schemas["Video"];
export type VideoChange = Schemas["VideoChange"];
export type Uploaded = Schemas["Uploaded"];
export type UploadForm = Schemas["UploadForm"];
export type Rendition = Schemas["RenditionSummary"];
export type VideoStatus = Schemas["VideoStatus"];
export type Status = Schemas["VideoProgress"];
export type Job = Schemas["JobBrief"];
export type JobState = Schemas["JobState"];

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export type Role = Schemas["Role"];
export type ProfileChange = Schemas["ProfileChange"];
export type Preferences = Schemas["Preferences"];
export type Session = Schemas["SessionInfo"];
export type Scope = "videos:read" | "videos:write" | "account:read" | "account:write" | "admin";
export type ApiKey = Schemas["ApiKeyInfo"];
export type NewApiKey = Schemas["NewApiKey"];
/** With the key itself, which is not shown again. */
export type CreatedApiKey = Schemas["CreatedApiKey"];
export type Provider = Schemas["ProviderShown"];
/** Who one is at a provider. */
export type Identity = Schemas["IdentityShown"];
/** Somebody, as administrators see them: nothing is left out for those. */
export type Person = Whole<Omit<Schemas["Person"], "erase_at" | "avatar_url">> & Pick<Schemas["Person"], "erase_at" | "avatar_url">;
/** Whether an account may be used. */
export type Standing = Schemas["UserStatus"];
/** Something that was done to an account. */
export type Happening = Schemas["AuditEntry"];
