/** How does one say who one is: name and password, or the company's own sign-in? */
import { Alert, Button, Divider, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import type { FormEvent, ReactElement } from "react";
import { methodsQuery, useSignIn } from "@/api/session";

interface SignInFormProps {
  user?: string;
  /** Where the company's sign-in leads to; undefined: a window of its own, this page stays. */
  next: string | undefined;
  onDone?: () => void;
}

export function SignInForm({ user, next, onDone }: SignInFormProps): ReactElement {
  const methods = useQuery(methodsQuery);
  const signIn = useSignIn();
  const attempt = useMutation({ mutationFn: signIn, onSuccess: onDone });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    attempt.mutate({
      username: String(form.get("username")),
      password: String(form.get("password")),
    });
  };
  return (
    <Stack>
      {attempt.isError && (
        <Alert color="red" role="alert">
          {attempt.error.message}
        </Alert>
      )}
      <form onSubmit={submit}>
        <Stack gap="sm">
          <TextInput
            label="User name"
            name="username"
            autoComplete="username"
            defaultValue={user}
            required
            withAsterisk={false}
            data-autofocus={user ? undefined : true}
          />
          <PasswordInput
            label="Password"
            name="password"
            autoComplete="current-password"
            required
            withAsterisk={false}
            data-autofocus={user ? true : undefined}
          />
          <Button type="submit" loading={attempt.isPending} mt="xs">
            Sign in
          </Button>
        </Stack>
      </form>
      {methods.data?.oidc && <CompanySignIn next={next} name={methods.data.oidc_name} />}
    </Stack>
  );
}

function CompanySignIn(props: { next: string | undefined; name: string | null }): ReactElement {
  const { next, name } = props;
  const start = `/api/v1/auth/oidc/start?next=${encodeURIComponent(next ?? "/sign-in")}`;
  return (
    <>
      <Divider label="or" />
      <Button
        component="a"
        href={start}
        target={next === undefined ? "_blank" : undefined}
        variant="default"
      >
        Sign in with {name ?? "your company account"}
      </Button>
    </>
  );
}
