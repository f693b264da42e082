// The shapes that the gateway answers with.

export interface User {
  id: string;
  email: string;
  username: string;
  first_name: string;
  last_name: string;
  role: string;
  created_at: string;
}

export interface SignedIn {
  user: User;
  access_token: string;
  refresh_token: string;
  /** Seconds. */
  expires_in: number;
}

export type Visibility = "public" | "unlisted" | "private";
export type VideoStatus = "awaiting_upload" | "uploaded" | "processing" | "ready" | "failed" | "deleted";
export type JobState = "PENDING" | "DOWNLOADING" | "PROCESSING" | "UPLOADING" | "COMPLETED" | "FAILED" | "CANCELLED";

export interface Rendition {
  name: string;
  width: number;
  height: number;
  bandwidth: number;
  published_seconds: number;
  complete: boolean;
}

export interface Video {
  id: string;
  owner_id: string;
  owner_username: string;
  title: string;
  description: string;
  visibility: Visibility;
  status: VideoStatus;
  created_at: string;
  updated_at: string;
  duration_seconds: number | null;
  width: number | null;
  height: number | null;
  video_codec: string | null;
  audio_codec: string | null;
  file_name: string | null;
  file_size: number | null;
  thumbnail_url: string | null;
  hls_url: string | null;
  renditions: Rendition[];
  warnings: string[];
  error_text: string | null;
  job_id: string | null;
}

export interface Job {
  id: string;
  state: JobState;
  /** Percent, 0 to 100. */
  progress: number;
  attempts: number;
  error_text: string | null;
}

export interface Status {
  id: string;
  status: VideoStatus;
  playable: boolean;
  hls_url: string | null;
  job: Job | null;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}
