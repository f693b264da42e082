// The shapes that the gateway takes and answers with, under the names that the pages use.
import type { components } from "./generated/schema.ts";

type Schemas = components["schemas"];

export type User = Schemas["User"];
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
