// What mailed links are for: setting a new password, and confirming an e-mail address.
import { anybody, api } from "./http.ts";

/** Answered the same whether there is such an account or not. */
export async function forgotPassword(email: string): Promise<void> {
  await anybody.POST("/api/auth/forgot-password", { body: { email } });
}

export async function resetPassword(token: string, password: string): Promise<void> {
  await anybody.POST("/api/auth/reset-password", { body: { token, password } });
}

export async function confirmEmail(token: string): Promise<void> {
  await anybody.POST("/api/auth/confirm-email", { body: { token } });
}

/** Has the link that confirms one's e-mail address sent again. */
export async function resendConfirmation(): Promise<void> {
  await api.POST("/api/auth/resend-confirmation");
}
